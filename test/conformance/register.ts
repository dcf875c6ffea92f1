import * as fc from 'fast-check'
import { afterAll, describe, test } from 'vitest'
import {
  type ConformanceFactory,
  type Step,
  conformanceCases,
  describeStep,
  runHistory,
} from '../../src/conformance/index.ts'
import { histories } from './steps.ts'

/** Registers all cases for a storage, and says which do not apply and why. */
export function registerConformance(name: string, factory: ConformanceFactory): void {
  describe(`conformance of ${name}`, () => {
    const skipped = new Map<string, string[]>()
    for (const { name: title, skip, run } of conformanceCases(factory)) {
      // oxlint-disable-next-line vitest/expect-expect, vitest/valid-title -- Cases throw, and bring their names.
      test(title, async (context) => {
        if (skip === undefined) return await run()
        skipped.set(skip, [...(skipped.get(skip) ?? []), title])
        return context.skip(skip)
      })
    }
    afterAll(() => {
      for (const [reason, titles] of skipped) {
        console.log(`${name} skips ${titles.length} cases, because ${reason}:\n  ${titles.join('\n  ')}`)
      }
    })
  })
}

export interface HistoryOptions {
  readonly runs: number
  readonly maxSteps?: number
  /** How many run at once, where a storage spends its time waiting. */
  readonly lanes?: number
}

/** How a history that failed is run again: `SEED=… PATH_=…`. `RUNS` runs more of them, or fewer. */
const { SEED, PATH_, RUNS } = process.env

/** Registers random histories against the model. */
export function registerHistories(
  name: string,
  factory: ConformanceFactory,
  { runs, maxSteps = 25, lanes = 1 }: HistoryOptions,
): void {
  // oxlint-disable-next-line vitest/expect-expect -- Throws what it found.
  test(
    `histories of ${name} are as the model permits, ${runs} of up to ${maxSteps} steps`,
    { timeout: 600_000 },
    async () => {
      const all = RUNS === undefined ? runs : Number(RUNS)
      if (SEED !== undefined) return await check(name, factory, maxSteps, all)
      await Promise.all(
        Array.from({ length: lanes }, () => check(name, factory, maxSteps, Math.ceil(all / lanes))),
      )
    },
  )
}

async function check(
  name: string,
  factory: ConformanceFactory,
  maxSteps: number,
  numRuns: number,
): Promise<void> {
  const property = fc.asyncProperty(histories(maxSteps), (steps) => runHistory(factory, steps))
  const result = await fc.check(property, {
    numRuns,
    ...(SEED !== undefined && { seed: Number(SEED) }),
    ...(PATH_ !== undefined && { path: PATH_ }),
  })
  if (!result.failed) return
  const steps: readonly Step[] = result.counterexample?.[0] ?? []
  const error = result.errorInstance
  throw new Error(
    [
      `history ${result.numRuns} of ${name} is not as the model permits; run it again with`,
      `  SEED=${result.seed} PATH_=${result.counterexamplePath} npx vitest run test/conformance -t 'histories of ${name} '`,
      'steps, as far as they could be cut down:',
      ...steps.map((step) => `  ${describeStep(step)}`),
      'what came of them:',
      error instanceof Error ? error.message : String(error),
    ].join('\n'),
  )
}
