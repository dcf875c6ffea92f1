// A runtime without some globals: those named in the first argument are gone before anything else is loaded.
import { isMainThread } from 'node:worker_threads'

const [, , names = '', origin = ''] = process.argv
const { fetch } = globalThis
for (const name of names.split(',').filter((one) => one !== '')) {
  const [holder, property] = name.split('.') as [string, string | undefined]
  const at = (property === undefined ? globalThis : globalThis[holder as never]) as object
  if (!Reflect.deleteProperty(at, property ?? holder)) throw new Error(`${name} cannot be taken away`)
}
if (!isMainThread) throw new Error('not in a worker')

const { useOutbox, useQueues } = await import('./work.ts')
await useQueues()
console.log('queues work')
const arrived = async (): Promise<number> => Number(await (await fetch(`${origin}/count`)).text())
await useOutbox(origin, arrived).then(
  () => console.log('an outbox works'),
  (error: unknown) => console.log((error as { code?: string }).code, String(error)),
)
