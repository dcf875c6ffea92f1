import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Miniflare } from 'miniflare'
import { bundle } from '../../browser/support/bundle.ts'

/** A Worker in the real runtime, with Durable Objects of the classes that it exports. */
export interface Worker {
  /** Calls the Worker; its answer is JSON. */
  call<T>(path: string, body?: unknown): Promise<T>
  readonly miniflare: Miniflare
  /** Ends the runtime, and starts another on the same data. */
  restart(): Promise<void>
  close(): Promise<void>
}

/**
 * Starts a Worker.
 *
 * @param file Its main module.
 * @param classes The Durable Objects that it exports, by the names of their bindings.
 * @param parent Where its data lies.
 * @param others Its other bindings.
 */
export async function startWorker(
  file: string,
  classes: Readonly<Record<string, string>>,
  parent: string = tmpdir(),
  others: Readonly<Record<string, { readonly type: 'kv'; readonly id: string }>> = {},
): Promise<Worker> {
  const directory = mkdtempSync(join(parent, 'quayside-workerd-'))
  const contents = await bundle(file, { external: ['cloudflare:workers'] })
  const start = (): Miniflare =>
    new Miniflare({
      resourcePersistencePath: directory,
      workers: [
        {
          config: {
            name: 'quayside',
            compatibilityDate: '2026-11-01',
            manifest: {
              mainModule: 'worker.js',
              modulesRoot: directory,
              modules: { 'worker.js': { type: 'esm', contents } },
            },
            env: {
              ...others,
              ...Object.fromEntries(
                Object.entries(classes).map(([binding, exportName]) => [
                  binding,
                  { type: 'durable-object', worker: 'quayside', exportName },
                ]),
              ),
            },
            exports: Object.fromEntries(
              [...new Set(Object.values(classes))].map((name) => [
                name,
                { type: 'durable-object', storage: 'sqlite' },
              ]),
            ),
          },
        },
      ],
    })
  let miniflare = start()
  return {
    get miniflare() {
      return miniflare
    },
    async call<T>(path: string, body?: unknown) {
      const response = await miniflare.dispatchFetch(`http://worker/${path}`, {
        method: 'POST',
        body: JSON.stringify(body ?? null),
      })
      const text = await response.text()
      if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`)
      return JSON.parse(text) as T
    },
    async restart() {
      await miniflare.dispose()
      miniflare = start()
      await miniflare.ready
    },
    async close() {
      await miniflare.dispose()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
