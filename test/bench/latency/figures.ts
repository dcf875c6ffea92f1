import type { Role } from '../report/model.ts'

/** Messages per second, at random times: few enough that nobody has a backlog. */
export const RATE = 100

export interface Measured {
  readonly name: string
  readonly role: Role
  readonly about?: string | undefined
  /** What a message survives; only within one class is it fair to compare. */
  readonly durability: Durability
  /** The handler is in another process than the sender. */
  readonly apart?: boolean
}

export type Durability = 'nothing' | 'SIGKILL' | 'power cut' | 'SIGKILL of its clients'

/** In ms, from the call of `send` to the call of the handler. */
export interface Latency extends Omit<Measured, 'name'> {
  readonly label: string
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

/** Between messages of a Poisson process, in ms. */
export function pauses(count: number): number[] {
  return Array.from({ length: count }, () => (-Math.log(1 - Math.random()) * 1000) / RATE)
}

/** The first tenth warms up and does not count. */
export function percentiles(
  { name, role, about, durability, apart = false }: Measured,
  latencies: readonly number[],
): Latency {
  const sorted = latencies.slice(latencies.length / 10).sort((a, b) => a - b)
  const at = (share: number) => Math.max(sorted[Math.ceil(share * sorted.length) - 1]!, 0.001)
  return {
    label: name,
    role,
    about,
    durability,
    apart,
    count: sorted.length,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    max: at(1),
  }
}

/** Of messages that were sent in order at these times and handled, by number, at those. */
export function differences(sent: readonly number[], heard: ReadonlyMap<number, number>): number[] {
  return sent.map((at, n) => {
    const then = heard.get(n)
    if (then === undefined) throw new Error(`message ${n} of ${sent.length} was never handled`)
    return then - at
  })
}
