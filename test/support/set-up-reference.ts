import type { QueueOptions } from '../../src/index.ts'
import { referenceWith } from '../conformance/reference.ts'
import { ManualClock } from './manual-clock.ts'
import { type SetUp, setUp } from './set-up.ts'
import type { SpyOptions } from './spy-storage.ts'

/** As {@link setUp}, on the reference implementation of the contract: it has all that a storage may have. */
export async function setUpReference<T = unknown>(
  options: SpyOptions & Omit<QueueOptions<T>, 'storage' | 'clock'> = {},
): Promise<SetUp<T>> {
  const clock = new ManualClock()
  const { adapter } = await referenceWith().create({ clock })
  return setUp<T>({ ...options, clock, adapter })
}
