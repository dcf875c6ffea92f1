import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { storeCases } from '../../conformance/index.ts'
import { type Worker, startWorker } from './support/workerd.ts'

let worker: Worker
beforeAll(async () => {
  worker = await startWorker('test/durable-object/workers/store-cases.ts', { STORE: 'StoreObject' })
})
afterAll(() => worker.close())

const NOT_HERE: readonly [start: string, why: string][] = [
  ['queues:', 'an object is one queue'],
  ['closing:', 'it keeps no closed flag: the engine is what closes it'],
]

describe('the storage of a Durable Object keeps contract 2', () => {
  const cases = storeCases({ create: () => Promise.reject(new Error('there are no Durable Objects here')) })
  test('but for what it has not', () => {
    const without = cases.filter(({ name }) => NOT_HERE.some(([start]) => name.startsWith(start)))
    expect(without).toHaveLength(NOT_HERE.length)
  })
  for (const [index, { name }] of cases.entries()) {
    const why = NOT_HERE.find(([start]) => name.startsWith(start))?.[1]
    // oxlint-disable-next-line vitest/valid-title -- Cases bring their names.
    test(name, async (context) => {
      context.skip(why !== undefined, why)
      expect(await worker.call('', index)).toBeNull()
    })
  }
})
