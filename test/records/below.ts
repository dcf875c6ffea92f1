import { randomFrom } from '../../conformance/scene.ts'

/** Whole numbers below what is asked for, the same in each run. */
export function below(seed: number): (most: number) => number {
  const random = randomFrom(seed)
  return (most) => Math.floor(random() * most)
}
