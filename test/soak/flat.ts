/** What was measured at one moment: bytes, by what they are of. */
export interface Sample {
  /** How many messages had been sent. */
  readonly sent: number
  readonly bytes: Readonly<Record<string, number>>
}

/** How much something may grow and be called flat: so much for each message, and at least `floor` bytes. */
export interface Allowance {
  readonly perMessage: number
  readonly floor: number
}

/**
 * What one message that is never done may keep of those behind it: storages take it out of the log once so much lies behind
 * it, in bytes. On a machine that sends little in its time, that is still filling up.
 */
export const PINNED: number = 2 * 1024 * 1024

export interface Verdict {
  readonly what: string
  /** In the first sample, and in the last one. */
  readonly first: number
  readonly last: number
  /** Over the second half, by the line through its samples. */
  readonly growth: number
  readonly allowed: number
  readonly perMessage: number
  readonly isFlat: boolean
}

/** Whether what was measured stays as it is over the second half of the samples; what has to warm up does so in the first. */
export function judge(
  samples: readonly Sample[],
  allowances: Readonly<Record<string, Allowance>>,
): Verdict[] {
  const half = samples.slice(Math.floor(samples.length / 2))
  const messages = half.at(-1)!.sent - half[0]!.sent
  return Object.entries(allowances).map(([what, { perMessage, floor }]) => {
    const growth = slope(half.map(({ sent, bytes }) => [sent, bytes[what]!])) * messages
    const allowed = Math.max(perMessage * messages, floor)
    return {
      what,
      first: samples[0]!.bytes[what]!,
      last: samples.at(-1)!.bytes[what]!,
      growth,
      allowed,
      perMessage: growth / messages,
      isFlat: growth <= allowed,
    }
  })
}

/** Of the line with the least squares. */
function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (of: 0 | 1): number => points.reduce((sum, point) => sum + point[of], 0) / points.length
  const [x, y] = [mean(0), mean(1)]
  const across = points.reduce((sum, [px]) => sum + (px - x) ** 2, 0)
  return across === 0 ? 0 : points.reduce((sum, [px, py]) => sum + (px - x) * (py - y), 0) / across
}
