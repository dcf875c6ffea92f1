/**
 * Evaluates the package once for each of two layers of one program, as bundlers do (Next.js: pages and routes; hot
 * replacement: before and after), and uses one directory from both. Says what came of it, as JSON.
 */
import { registerHooks } from 'node:module'
import type * as fs from '../../adapters/fs/index.ts'
import type * as core from '../../src/index.ts'

registerHooks({
  resolve: (specifier, context, next) => {
    const resolved = next(specifier, context)
    const layer = /\?layer=\w+$/.exec(context.parentURL ?? '')?.[0] ?? ''
    return resolved.url.startsWith('file:') && !resolved.url.includes('?')
      ? { ...resolved, url: resolved.url + layer }
      : resolved
  },
})

type Package = typeof fs & typeof core

async function layer(name: string): Promise<Package> {
  const parts = ['../../src/index.ts', '../../adapters/fs/index.ts'].map(
    (path) => import(`${path}?layer=${name}`) as Promise<Package>,
  )
  return Object.assign({}, ...(await Promise.all(parts))) as Package
}

const directory = process.argv[2]!
const [pages, routes] = [await layer('pages'), await layer('routes')]
const open = ({ Queue, NodeFsAdapter }: Package, options?: fs.FsOptions): core.Queue<string> =>
  new Queue<string>('mails', { storage: new NodeFsAdapter(directory, options) })

const [ours, theirs] = [open(pages), open(routes)]
const consumer = ours.createConsumer()
const waiting = consumer.receive({ waitMs: 20_000 })
await theirs.createProducer().sendBatch([{ payload: 'hello' }, { payload: 'again' }])
const received = await waiting
const stats = await theirs.stats()
await received!.ack()
const other = await open(routes, { durability: 'os' })
  .stats()
  .catch((error: unknown) => error)
const ended = await received!.ack().catch((error: unknown) => error)
await ours.close()
const left = await theirs.createConsumer().receive()
await theirs.close()

console.log(
  JSON.stringify({
    areCopies: pages.QuaysideError !== routes.QuaysideError,
    received: received!.payload,
    leased: stats.groups['default']!.leased,
    other: (other as { code?: string }).code,
    isKnown: other instanceof pages.QuaysideError && ended instanceof routes.QuaysideError,
    left: left!.payload,
  }),
)
