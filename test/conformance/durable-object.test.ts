import { afterAll, beforeAll, describe } from 'vitest'
import { GUARANTEES } from '../../adapters/durable-object/guarantees.ts'
import { inShards } from '../../adapters/durable-object/in-shards.ts'
import type { ConformanceFactory } from '../../conformance/index.ts'
import { type Worker, startWorker } from '../durable-object/support/workerd.ts'
import { type Exceptions, type RemoteSuite, registerConformanceIn, registerHistoriesIn } from './register.ts'

let worker: Worker
beforeAll(async () => {
  worker = await startWorker('test/durable-object/workers/suite.ts', { QUEUE: 'SuiteObject' })
})
afterAll(() => worker.close())

function suite(shards: number, { call } = worker): RemoteSuite {
  return {
    cases: () => call(`${shards}/cases`),
    run: (index) => call(`${shards}/run`, index),
    histories: (options) => call(`${shards}/histories`, options),
  }
}

/** What the cases are skipped by; they run in workerd. */
function declared(guarantees: ConformanceFactory['guarantees']): ConformanceFactory {
  return { guarantees, create: () => Promise.reject(new Error('there are no Durable Objects here')) }
}

describe('in one object', () => {
  const name = 'durable-object'
  // The engine is that of files, whose cases of thousands run.
  registerConformanceIn(name, declared(GUARANTEES), () => suite(1), { quick: 'small' })
  registerHistoriesIn(name, () => suite(1), { runs: { quick: 15, full: 300 } })
})

const APART: Exceptions = Object.fromEntries([
  [
    'append: makes ids of the first 28 characters of the batch id and 8 hexadecimal digits',
    'ids have their shard in two of these',
  ],
  [
    'clocks: messages that are sent with a delay before and after a jump back all come in their time',
    'a shard that nobody asked meanwhile has not seen the jump',
  ],
])

describe('in three shards', () => {
  const name = 'durable-object, 3 shards'
  registerConformanceIn(name, declared(inShards(3)!.guarantees), () => suite(3), {
    exceptions: APART,
    quick: 'core',
  })
})

describe('with answers of few bytes', () => {
  let small: Worker
  beforeAll(async () => {
    small = await startWorker('test/durable-object/workers/suite-of-small-answers.ts', {
      QUEUE: 'SuiteObject',
    })
  })
  afterAll(() => small.close())
  registerHistoriesIn('durable-object with small answers', () => suite(1, small), {
    runs: { quick: 8, full: 60 },
  })
})
