import { availableParallelism } from 'node:os'
import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { LongestFirst } from './test/sequencer.ts'

const slow = 'test/crash/**/*.test.ts'

const config: ViteUserConfig = defineConfig({
  test: {
    // Many tests wait for browsers and servers most of their time.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './test/reporter.ts'],
    projects: [
      {
        test: {
          name: 'quick',
          include: ['test/**/*.test.ts'],
          exclude: [slow, 'test/bench/**'],
          // A busy machine takes its time; what never comes is waited for once.
          expect: { poll: { timeout: 45_000, interval: 50 } },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        // Child processes that are killed, journals cut at every byte: minutes, not milliseconds.
        test: { name: 'crash', include: [slow], testTimeout: 900_000, hookTimeout: 60_000 },
      },
    ],
  },
})

export default config
