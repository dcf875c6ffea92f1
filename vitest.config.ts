import { availableParallelism } from 'node:os'
import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { LongestFirst } from './test/sequencer.ts'

/** Those that use browsers: a worker's files share its browsers, and the drivers that it has loaded. */
const browsers = [
  'test/browser/**/*.test.ts',
  'test/conformance/indexeddb.test.ts',
  'test/faults/{histories,suspended-tab,two-builds}.test.ts',
  'test/readme/readme.test.ts',
  'test/runtimes/runtimes.test.ts',
  'test/schedule/every-storage.test.ts',
  'test/security/forged-rows.test.ts',
]
/** Those that need a process of their own: they mock modules, count its timers, or measure what it has in memory. */
const apart = [
  'test/durable-object/{adapter,push-time,push-verdicts}.test.ts',
  'test/fs/rows.test.ts',
  'test/records/bounds.test.ts',
  'test/unit/{clock,groups,testing}.test.ts',
  'test/view/react.test.ts',
]
const slow = 'test/crash/**/*.test.ts'
// A busy machine takes its time; what never comes is waited for once.
const waits = {
  testTimeout: 300_000,
  hookTimeout: 300_000,
  expect: { poll: { timeout: 45_000, interval: 50 } },
}

const config: ViteUserConfig = defineConfig({
  test: {
    // Many tests wait for browsers and servers most of their time.
    maxWorkers: availableParallelism() + 2,
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './test/reporter.ts'],
    // A worker takes file after file of a project, and loads each module once; between projects, and where files are isolated, it ends.
    projects: [
      { test: { name: 'browsers', include: browsers, isolate: false, ...waits } },
      {
        test: {
          name: 'quick',
          include: ['test/**/*.test.ts'],
          exclude: [...browsers, ...apart, slow, 'test/bench/**'],
          isolate: false,
          ...waits,
        },
      },
      { test: { name: 'apart', include: apart, ...waits } },
      {
        // Child processes that are killed, journals cut at every byte: minutes, not milliseconds.
        test: { name: 'crash', include: [slow], testTimeout: 900_000, hookTimeout: 300_000 },
      },
    ],
  },
})

export default config
