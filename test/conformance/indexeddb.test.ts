import { afterAll, beforeAll, describe } from 'vitest'
import { bundle } from '../browser/support/bundle.ts'
import {
  chromiumPage,
  chromiumPageOnSqlite,
  type Context,
  dedicatedWorker,
  firefoxPage,
  type OpenContext,
  serviceWorker,
} from '../browser/support/contexts.ts'
import { factory } from './factories/indexeddb.ts'
import { type RemoteSuite, registerConformanceIn, registerHistoriesIn } from './register.ts'

/** What the cases are skipped by; they run in browsers. */
const declared = factory({ durability: 'relaxed' })

let script: string
beforeAll(async () => void (script = await bundle('test/browser/pages/conformance.ts')))

function suiteIn(open: OpenContext, name: 'suite' | 'smallSteps' = 'suite'): () => RemoteSuite {
  let context: Context
  beforeAll(async () => void (context = await open(script, name)))
  afterAll(() => context?.close())
  const call = (verb: string, ...passed: readonly unknown[]): Promise<never> =>
    context.call(name, verb, ...passed) as Promise<never>
  return () => ({
    cases: () => call('cases'),
    run: (index) => call('run', index),
    histories: (options) => call('histories', options),
  })
}

// The cases run here as well, from the sources; test/runtimes runs them from the built package in the other contexts.
describe('in a Chromium page, on SQLite', () => {
  const suite = suiteIn(chromiumPageOnSqlite)
  const name = 'indexeddb in a Chromium page, on SQLite'
  registerConformanceIn(name, declared, suite, { quick: 'core' })
  registerHistoriesIn(name, suite, { runs: { quick: 12, full: 300 }, maxSteps: 20, lanes: 4 })
})

describe('in a Chromium page, in small steps', () => {
  const suite = suiteIn(chromiumPage, 'smallSteps')
  const runs = { quick: 24, full: 1000 }
  registerHistoriesIn('indexeddb in small steps', suite, { runs, maxSteps: 20, lanes: 4 })
})

describe.each([
  { title: 'a Chromium page', open: chromiumPage, runs: { quick: 24, full: 2000 } },
  { title: 'a dedicated worker', open: dedicatedWorker, runs: { quick: 4, full: 300 } },
  { title: 'a service worker', open: serviceWorker, runs: { quick: 4, full: 300 } },
  { title: 'a Firefox page', open: firefoxPage, runs: { quick: 12, full: 300 } },
])('in $title', ({ title, open, runs }) => {
  registerHistoriesIn(`indexeddb in ${title}`, suiteIn(open), { runs, maxSteps: 20, lanes: 4 })
})
