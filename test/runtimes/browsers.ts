import {
  chromiumPage,
  dedicatedWorker,
  firefoxPage,
  type OpenContext,
  serviceWorker,
} from '../browser/support/contexts.ts'
import type { Suite } from './inside/suite.ts'
import type { Runtime } from './runtime.ts'

function browser(name: string, openContext: OpenContext): Runtime {
  return {
    name,
    has: ['indexedDB'],
    async open(installed, tested) {
      const context = await openContext(await installed.bundle({ ...tested, host: 'global' }, 'es'), 'suite')
      const call = <T>(verb: keyof Suite, ...passed: readonly number[]): Promise<T> =>
        context.call('suite', verb, ...passed) as Promise<T>
      return {
        version: /(?:Chrome|Firefox)\/(\d+)/.exec(context.userAgent)?.[1] ?? context.userAgent,
        suite: { cases: () => call('cases'), run: (index) => call('run', index) },
        close: () => context.close(),
      }
    },
  }
}

export const browsers: readonly Runtime[] = [
  browser('Chromium, page', chromiumPage),
  browser('Chromium, dedicated worker', dedicatedWorker),
  browser('Chromium, service worker', serviceWorker),
  browser('Firefox, page', firefoxPage),
]
