const DAY = 86_400_000

/**
 * How long a server asks to wait in `Retry-After`, in ms, and a day at most. `undefined`: it does not say, or says that
 * there is no need to; then the retry policy decides.
 *
 * @param value Seconds or a date, as in RFC 9110, section 10.2.3.
 * @param now In ms since 1970.
 */
export function retryAfterMs(value: string | null | undefined, now: number): number | undefined {
  if (!value) return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now
  return ms > 0 ? Math.min(ms, DAY) : undefined
}
