import { expect, test } from 'vitest'
import { ManualClock } from '../../src/testing/index.ts'
import { live } from '../../src/view/live.ts'
import { settle } from '../support/settle.ts'

test('what takes long to read is read half of the time at most', async () => {
  const clock = new ManualClock()
  let changed = (): void => undefined
  let reads = 0
  const view = live({
    initial: { reads, loaded: false, error: undefined },
    clock,
    watch(listener) {
      changed = listener
      return () => undefined
    },
    read() {
      clock.jump(400)
      return Promise.resolve({ state: { reads: ++reads } })
    },
  })
  const stop = view.subscribe(() => undefined)
  await settle()
  changed()
  await clock.advance(399)
  await settle()
  expect(reads).toBe(1)
  await clock.advance(1)
  await settle()
  expect(reads).toBe(2)
  stop()
})
