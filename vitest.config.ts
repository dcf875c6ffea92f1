import { availableParallelism } from 'node:os'
import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { LongestFirst } from './test/sequencer.ts'

const slow = 'test/crash/**/*.test.ts'
/** Those that start no processes and change nothing that others see: they share one, and load each module once. */
const light = ['test/unit/**/*.test.ts', 'test/segments/**/*.test.ts', 'test/outbox/**/*.test.ts']
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
    projects: [
      {
        test: {
          name: 'light',
          include: light,
          isolate: false,
          ...waits,
        },
      },
      {
        test: {
          name: 'quick',
          include: ['test/**/*.test.ts'],
          exclude: [slow, ...light, 'test/bench/**'],
          ...waits,
        },
      },
      {
        // Child processes that are killed, journals cut at every byte: minutes, not milliseconds.
        test: { name: 'crash', include: [slow], testTimeout: 900_000, hookTimeout: 300_000 },
      },
    ],
  },
})

export default config
