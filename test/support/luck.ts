import { expect, onTestFailed } from 'vitest'
import { randomFrom } from '../../conformance/scene.ts'
import { seedOf } from './lots.ts'

/** Numbers from 0 to 1 for the running test. If it fails, it says of which seed they were; `SEED=…` takes that again. */
export function luck(): () => number {
  const { SEED } = process.env
  const seed = SEED === undefined ? seedOf(expect.getState().currentTestName ?? '') : Number(SEED)
  onTestFailed(() => console.error(`the random numbers of this test were those of SEED=${seed}`))
  return randomFrom(seed)
}
