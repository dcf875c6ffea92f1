import { createRequire } from 'node:module'
import { EdgeVM } from '@edge-runtime/vm'
import { Miniflare } from 'miniflare'
import type { Suite } from './inside/suite.ts'
import type { Runtime } from './runtime.ts'

const versionOf = (name: string): string =>
  (createRequire(import.meta.url)(`${name}/package.json`) as { version: string }).version

export const workerd: Runtime = {
  name: 'workerd',
  has: ['bindings', 'requests'],
  async open(installed, tested) {
    const miniflare = new Miniflare({
      telemetry: { enabled: false },
      logRequests: false,
      workers: [
        {
          config: {
            name: 'conformance',
            compatibilityDate: '2026-11-01',
            manifest: {
              mainModule: 'worker.js',
              modulesRoot: '/',
              modules: {
                'worker.js': {
                  type: 'esm',
                  contents: await installed.bundle({ ...tested, host: 'worker' }, 'es'),
                },
              },
            },
            ...tested.worker,
          },
        },
      ],
    })
    await miniflare.ready
    const call = async <T>(verb: keyof Suite, argument?: number): Promise<T> => {
      const body = JSON.stringify([verb, argument])
      const response = await miniflare.dispatchFetch('http://localhost/', { method: 'POST', body })
      if (!response.ok) throw new Error(`the Worker answered ${response.status}: ${await response.text()}`)
      return (await response.json()) as T
    }
    return {
      version: versionOf('workerd'),
      suite: { cases: () => call('cases'), run: (index) => call('run', index) },
      close: () => miniflare.dispose(),
    }
  },
}

export const edgeVm: Runtime = {
  name: 'Edge Runtime VM',
  has: ['requests'],
  async open(installed, tested) {
    const vm = new EdgeVM({ initialCode: await installed.bundle({ ...tested, host: 'global' }, 'iife') })
    const { suite } = vm.context as unknown as { suite: Suite }
    return { version: versionOf('@edge-runtime/vm'), suite, close: () => Promise.resolve() }
  },
}
