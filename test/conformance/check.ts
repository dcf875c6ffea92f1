import * as fc from 'fast-check'
import {
  type ConformanceFactory,
  type Step,
  describeStep,
  historySteps,
  runHistory,
} from '../../conformance/index.ts'

export interface CheckOptions {
  readonly maxSteps: number
  readonly runs: number
  readonly groups?: 1 | 3 | undefined
  readonly seed: number
  /** Of a failure to run again. */
  readonly path?: string | undefined
}

/** Runs random histories against the model, wherever it is called. Answers with what went wrong, and how to see it again. */
export async function checkHistories(
  name: string,
  factory: ConformanceFactory,
  { maxSteps, runs, groups, seed, path }: CheckOptions,
): Promise<string | undefined> {
  const property = fc.asyncProperty(historySteps(fc, maxSteps, groups), (steps) => runHistory(factory, steps))
  const result = await fc.check(property, {
    numRuns: runs,
    seed,
    ...(path !== undefined && { path }),
  })
  if (!result.failed) return undefined
  const steps: readonly Step[] = result.counterexample?.[0] ?? []
  const error = result.errorInstance
  return [
    `history ${result.numRuns} of ${name} is not as the model permits; run it again with`,
    `  SEED=${result.seed} PATH_=${result.counterexamplePath} npx vitest run test/conformance -t 'histories of ${name} '`,
    'steps, as far as they could be cut down:',
    ...steps.map((step) => `  ${describeStep(step)}`),
    'what came of them:',
    error instanceof Error ? error.message : String(error),
  ].join('\n')
}
