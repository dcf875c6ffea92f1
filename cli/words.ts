/** Numbers as people read them. */

export function count(number: number): string {
  return number.toLocaleString('en')
}

export function plural(number: number, one: string): string {
  return `${count(number)} ${one}${number === 1 ? '' : 's'}`
}

export function bytes(number: number): string {
  if (number < 1000) return `${number} B`
  if (number < 1e6) return `${(number / 1e3).toFixed(1)} kB`
  return number < 1e9 ? `${(number / 1e6).toFixed(1)} MB` : `${(number / 1e9).toFixed(1)} GB`
}

/** A time in ms since 1970. */
export function time(ms: number): string {
  return `${new Date(ms).toISOString()} (${duration(Date.now() - ms)} ago)`
}

/** A duration in ms, in one unit. */
export function duration(ms: number | undefined): string {
  if (ms === undefined) return ''
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86_400)} d`
}
