const DAY = 86_400_000

/**
 * How long a server asks to wait in `Retry-After`, in ms, and a day at most. `undefined`: it does not say, or says that
 * there is no need to; then the retry policy decides.
 *
 * @param headers Of its response. Seconds or a date, as in RFC 9110, section 10.2.3: a date of the server's own clock, which its
 * header `Date` tells.
 * @param now In ms since 1970, where there is no such header, or a browser hides it.
 */
export function retryAfterMs(headers: Headers, now: number): number | undefined {
  const value = headers.get('retry-after')
  if (!value) return undefined
  const sent = Date.parse(headers.get('date') ?? '')
  // Some write fractions, and some say it twice, which arrives as a list.
  const ms = /^\d+(\.\d+)?(,|$)/.test(value)
    ? parseFloat(value) * 1000
    : Date.parse(value) - (Number.isNaN(sent) ? now : sent)
  return ms > 0 ? Math.min(ms, DAY) : undefined
}
