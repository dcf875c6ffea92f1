import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Result, Role } from './report/model.ts'

export {
  atLeast,
  atMost,
  heading,
  plot,
  print,
  printGoals,
  printRates,
  printTable,
  startSection,
  versus,
} from './record.ts'
export { amount, median } from './report/numbers.ts'
export type { Result } from './report/model.ts'

/**
 * Contestants take turns in one process: slice by slice, in an order that rotates, so that a noisy second hits them
 * alike. What counts is the median of the slices and the ratio of paired slices (same round), with their spread.
 */

/** One way of doing the work, set up anew for each slice. */
export interface Contestant {
  name: string
  role: Role
  /** What the reader must know to read its figure right: what it does less, how it was configured. */
  about?: string
  /**
   * What is set up knows nothing of the others. Then the first stays open to the end, as the queue of a program does: V8 drops what
   * it compiled for objects of which there are none left, which in a program are there.
   */
  apart?: boolean
  setup(): Promise<Running> | Running
}

export interface Running {
  /** Does some of the work, at most a few milliseconds, and returns how many messages that was. */
  step(): Promise<number> | number
  /** Untimed. */
  close?(): unknown
}

export interface Options {
  /** Timed slices per contestant, after `warmups` that are not counted. */
  slices: number
  warmups: number
  sliceMs: number
  /** How many messages a long queue has. */
  many: number
}

/** Measures something and says what it found, through the functions above. */
export type Run = (options: Options, withQuayside: boolean) => Promise<void>

/** For how long a contestant runs before the clock does, in ms. */
const WAKING_MS = 100

setFlagsFromString('--expose-gc')
export const gc = runInNewContext('gc') as () => void

export async function compete(contestants: readonly Contestant[], options: Options): Promise<Result[]> {
  const results = contestants.map(({ name, role, about }): Result => ({ name, role, about, rates: [] }))
  const open: Running[] = []
  for (const { apart, setup } of contestants) if (apart) open.push(await setup())
  for (const running of open) await running.step()
  for (let round = -options.warmups; round < options.slices; round++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const index = (turn + round + options.warmups) % contestants.length
      const contestant = contestants[index]!
      const running = await contestant.setup()
      gc()
      // Steps outside of the clock: connections, first pages, statements. And what V8 has to compile again after `gc()`,
      // which drops the shapes of objects of which there are none just then: more of it where there is more code.
      const woken = performance.now()
      do await running.step()
      while (performance.now() - woken < WAKING_MS)
      let done = 0
      const started = performance.now()
      let elapsed = 0
      while (elapsed < options.sliceMs) {
        done += await running.step()
        elapsed = performance.now() - started
      }
      await running.close?.()
      if (round >= 0) results[index]!.rates.push((done / elapsed) * 1000)
      progress(`${contestant.name}: round ${round + 1} of ${options.slices}`)
    }
  }
  progress('')
  for (const running of open) await running.close?.()
  return results
}

export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${text.padEnd(78)}\r`)
}
