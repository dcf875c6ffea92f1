export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export interface Ratio {
  median: number
  min: number
  max: number
}

/** Of slices that ran in the same round. */
export function ratioOf(subject: readonly number[], other: readonly number[]): Ratio {
  const ratios = subject.map((value, round) => value / other[round]!)
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) }
}

export function amount(value: number): string {
  if (value >= 1e6) return `${trim((value / 1e6).toPrecision(3))} M`
  if (value >= 1e4) return `${(value / 1e3).toFixed(0)} k`
  if (value >= 1e3) return `${trim((value / 1e3).toFixed(1))} k`
  return String(Number(value.toPrecision(3)))
}

export function times(value: number): string {
  return `${value >= 100 ? value.toFixed(0) : value.toPrecision(value < 1 ? 2 : 3)}×`
}

/** A time in the unit that suits it. */
export function duration(ms: number): string {
  if (ms < 0.995) return `${Number((ms * 1000).toPrecision(2))} µs`
  if (ms < 995) return `${Number(ms.toPrecision(2))} ms`
  return `${Number((ms / 1000).toPrecision(2))} s`
}

export function inBytes(bytes: number): string {
  return bytes < 10_000
    ? `${Number(bytes.toPrecision(3)).toLocaleString('en')} B`
    : `${(bytes / 1000).toPrecision(3)} kB`
}

function trim(number: string): string {
  return number.includes('.') ? number.replace(/\.?0+$/, '') : number
}
