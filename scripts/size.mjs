// npm run size: what a user's bundle grows by, dependencies included, minified and compressed, against a budget; and what npm
// downloads for each package. With --all also each subpath whole, without a budget. What the pages say of it must be true to 0.1 kB;
// --write has them say it.
// A budget is raised only in a commit that says why.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, matchesGlob } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { rolldown } from 'rolldown'
import { PACKAGES } from './packages.mjs'

const [{ pkg }] = PACKAGES
const kB = 1024

/**
 * What a user writes, and the bytes that it may cost, without what `besides` costs.
 *
 * In each with a core 0.3 kB is for what engines of apps lack; that, with what is of another realm, is 0.5 in the outbox. What few
 * storages need of a core they bring: memory what asks it without promises, 0.6 kB, which makes it three times as fast one at a time,
 * SQL what sends in transactions of its users', 0.3 kB. That a claim which comes after the end of what its caller has in hand takes nothing,
 * and so buries none of it, is 0.3 kB in each: 0.1 of it so that 10,000 in hand cost such a claim no more than 100, and 0.05 that this holds for
 * leases of several lengths, and for those that handlers extend; 0.08 renews in time what a handler has extended for less than it had. That
 * an outbox finds out options which were meant for it and are misspelt is 0.4 kB, that Redis by HTTP finds out answers which no script gives 0.3 kB.
 */
export const USES = [
  {
    // The aim is 16 kB. What it costs today: 20.5 kB of core and 14.5 of records, adapter included: 0.5 of it so that nobody is
    // searched for among a million and no map grows to one.
    name: 'core + memory',
    // What answers at once is asked without promises, 0.6 kB, and payloads are copied by the rules of JSON, 0.6: so it takes
    // a third of the time one at a time, half in batches. That copies take one step for each object, that the clock is read once and
    // that a queue is not told of what it did itself is 0.15 of it, and a fifth less of that time. 0.1 is that the sleep of a device is no
    // time of its handlers.
    budget: 36.25 * kB,
    code: `import { Queue } from 'quayside'
           import { MemoryAdapter } from 'quayside/memory'
           export const queue = new Queue('orders', { storage: new MemoryAdapter() })`,
  },
  {
    // The aim is 11 kB. The lean queue is 14 of it: checks, codec and ids 4, the desk at which all take and settle 4, the rest 6.
    name: 'lean queue + memory',
    budget: 29.5 * kB,
    code: `import { Queue } from 'quayside/lean'
           import { MemoryAdapter } from 'quayside/memory'
           export const queue = new Queue('orders', { storage: new MemoryAdapter() })`,
  },
  {
    name: 'core + IndexedDB + outbox + service worker',
    // The aim is 26 kB. The outbox and its worker are 13.7 of it: its verbs, events and who waits 4, what becomes of attempts 1.8, bodies
    // and what is stored of a request 1.7, attempts 1.4, owners 1.3, rests and probes 1, what is kept of responses, and parents 1, the
    // worker's events 0.7, edits 0.4, what cannot be stored 0.3. 0.25 says what was handed to the wrong place, or has no IndexedDB;
    // another 0.25 ends what has no end, and tells conflicts and log-ins from those before; another has each owner have ids of their own,
    // or the request of one replaces that of another; 0.2 sends where nothing may be kept, refuses what nobody could send, and has
    // nothing sent twice for want of room, nor anybody wait for a child of what is parked; the last 0.4 refuses options of a request that
    // would be passed over without a word, 0.06 goes once through chains of requests, and answers with what an
    // app's fetch has read, and 0.1 gives up attempts as a page is left, and has who waits leave a busy queue alone.
    budget: 60.5625 * kB,
    code: `import { Queue } from 'quayside/core'
           import { IndexedDBAdapter } from 'quayside/indexeddb'
           import { Outbox } from 'quayside/outbox'
           import { registerBackgroundSync, requestSync } from 'quayside/service-worker'
           export const outbox = new Outbox(new Queue('outbox', { storage: new IndexedDBAdapter() }))
           registerBackgroundSync(outbox)
           requestSync(outbox)`,
  },
  {
    name: 'lean queue + IndexedDB + outbox + service worker',
    budget: 59.3125 * kB,
    code: `import { Queue } from 'quayside/lean'
           import { IndexedDBAdapter } from 'quayside/indexeddb'
           import { Outbox } from 'quayside/outbox'
           import { registerBackgroundSync, requestSync } from 'quayside/service-worker'
           export const outbox = new Outbox(new Queue('outbox', { storage: new IndexedDBAdapter() }))
           registerBackgroundSync(outbox)
           requestSync(outbox)`,
  },
  {
    name: 'core + IndexedDB',
    // The aim is 21.5 kB. The core is 21 of it, the adapter 24: 19 are the engine, in which each verb is written once, as steps that
    // wait for rows, and 5 the connection, the room that is kept back, the channel and faults.
    // 0.4 of it tells rows that another page has forged, which no loop may stumble over; 0.4 stores long bodies as blobs, so that a
    // thousand photos that wait need 14 MB and not 5 GB. 1.2 has messages that are sent at once share rows, which makes a batch of 100
    // 7 times as fast to send and twice as fast to take, and what is blocked share those of its key; 0.2 has the browser say which ids are
    // there.
    // That whoever waits on the same object hears of a redrive is the last 0.05.
    budget: 45.375 * kB,
    code: `import { Queue } from 'quayside/core'
           import { IndexedDBAdapter } from 'quayside/indexeddb'
           export const queue = new Queue('orders', { storage: new IndexedDBAdapter() })`,
  },
  {
    // The aim is 15.5 kB. 0.1 ends a transaction, or an opening, whose end a browser tells to nobody, and runs it again after a sleep of the device;
    // 0.1 reads where the messages of a list stand many at once.
    name: 'lean queue + IndexedDB',
    budget: 38.75 * kB,
    code: `import { Queue } from 'quayside/lean'
           import { IndexedDBAdapter } from 'quayside/indexeddb'
           export const queue = new Queue('orders', { storage: new IndexedDBAdapter() })`,
  },
  {
    // The aim is 9 kB. The core alone is 20.5; the lean queue 14.
    name: 'core + Durable Object client',
    budget: 23.9375 * kB,
    code: `import { Queue } from 'quayside/core'
           import { DurableObjectAdapter } from 'quayside/durable-object'
           export const open = (env) => new Queue('orders', { storage: new DurableObjectAdapter(env.QUEUE) })`,
  },
  {
    name: 'lean queue + Durable Object client',
    budget: 17.1875 * kB,
    code: `import { Queue } from 'quayside/lean'
           import { DurableObjectAdapter } from 'quayside/durable-object'
           export const open = (env) => new Queue('orders', { storage: new DurableObjectAdapter(env.QUEUE) })`,
  },
  {
    name: 'Durable Object client alone',
    budget: 2.5 * kB,
    code: `export { DurableObjectAdapter } from 'quayside/durable-object'`,
  },
  {
    name: 'shards, besides the Durable Object client',
    budget: 3.75 * kB,
    besides: `export { DurableObjectAdapter } from 'quayside/durable-object'`,
    code: `export { DurableObjectAdapter, inShards } from 'quayside/durable-object'`,
  },
  {
    // The aim is 9 kB for a Worker.
    name: 'core + Cloudflare KV',
    budget: 34.25 * kB,
    code: `import { Queue } from 'quayside/core'
           import { CloudflareKVAdapter } from 'quayside/cloudflare-kv'
           export const queue = (env) => new Queue('tasks', { storage: new CloudflareKVAdapter(env.TASKS) })`,
  },
  {
    name: 'encryption, besides the core',
    budget: kB,
    besides: `export { Queue } from 'quayside/core'`,
    code: `export { Queue } from 'quayside/core'
           export { encrypted } from 'quayside/encryption'`,
  },
  {
    name: 'upload, besides the outbox',
    budget: kB,
    besides: `export { Outbox } from 'quayside/outbox'`,
    code: `export { Outbox } from 'quayside/outbox'
           export { uploadFetch } from 'quayside/upload'`,
  },
  {
    name: 'view of a queue, besides the core',
    budget: kB,
    besides: `export { Queue } from 'quayside/core'`,
    code: `export { Queue } from 'quayside/core'
           export { queueView } from 'quayside/view'`,
  },
  {
    name: 'React, besides core and view',
    budget: 0.6 * kB,
    besides: `export { Queue } from 'quayside/core'
              export * from 'quayside/view'`,
    code: `export { Queue } from 'quayside/core'
           export * from 'quayside/view'
           export * from 'quayside/react'`,
  },
  {
    name: 'core + key-value',
    // The engine is that of files, and the adapter 6 of it. On the engine of memory it would be some 45: that has no way back from
    // what could not be written, and no way to write what lives anew a bit at a time, which both would have to be made first. What keeps
    // the row of a group small with thousands in flight, and reads holds once, is 0.2 of it, what opens a store again that has failed 0.1; long bodies in rows of their own are 0.7.
    budget: 58.1875 * kB,
    code: `import { Queue } from 'quayside/core'
           import { KeyValueAdapter } from 'quayside/key-value'
           export const queue = (items) => new Queue('orders', { storage: new KeyValueAdapter(items) })`,
  },
  {
    // For tests, where nobody counts; nothing else may import it.
    name: 'testing kit, besides the core',
    code: `export * from 'quayside/core'
           export * from 'quayside/testing'`,
    besides: `export * from 'quayside/core'`,
  },
  {
    // 11 of it are the page that it serves, the element among them, as text.
    name: 'inspector for servers, besides the core',
    budget: 13.875 * kB,
    besides: `export { Queue } from 'quayside/core'`,
    code: `export { Queue } from 'quayside/core'
           export * from 'quayside/inspector/server'`,
  },
  {
    name: 'inspector element',
    budget: 10 * kB,
    code: `export * from 'quayside/inspector'`,
  },
  {
    name: 'core + Redis (Node)',
    code: `import { Queue } from 'quayside/core'
           import { RedisAdapter } from 'quayside/redis'
           export const queue = (client) => new Queue('orders', { storage: new RedisAdapter(client) })`,
  },
  {
    // The aim is 11 kB. The core is 20.5; the scripts of all verbs are 29, and any verb may be the first that a server is sent.
    name: 'core + Redis over HTTP',
    budget: 60.5625 * kB,
    code: `import { Queue } from 'quayside/core'
           import { RedisHttpAdapter } from 'quayside/redis-http'
           export const queue = (env) => new Queue('orders', { storage: new RedisHttpAdapter(env) })`,
  },
  {
    name: 'core + fs (Node)',
    code: `import { Queue } from 'quayside/core'
           import { NodeFsAdapter } from 'quayside/fs'
           export const queue = new Queue('orders', { storage: new NodeFsAdapter('data') })`,
  },
  {
    name: 'core + SQLite (Node)',
    code: `import { Queue } from 'quayside/core'
           import { SQLiteAdapter } from 'quayside/sqlite'
           export const queue = new Queue('orders', { storage: new SQLiteAdapter('app.db') })`,
  },
  {
    name: 'core + Postgres (Node)',
    code: `import { Queue } from 'quayside/core'
           import { PostgresAdapter } from 'quayside/postgres'
           export const queue = (pool) => new Queue('orders', { storage: new PostgresAdapter(pool) })`,
  },
  {
    // Croner is 10 of it. 0.1 has a clock that was behind for a while be no years to catch up with.
    name: 'schedules, besides the core',
    budget: 13.375 * kB,
    code: `export * from 'quayside/core'
           export * from 'quayside/schedule'`,
    besides: `export * from 'quayside/core'`,
  },
  {
    name: 'typed messages, besides the core',
    budget: 0.8 * kB,
    code: `export * from 'quayside/core'
           export * from 'quayside/typed'`,
    besides: `export * from 'quayside/core'`,
  },
]
/**
 * The archives that npm downloads, but for the maps of sources. quayside's, for which the aim is 450 kB, is to a third what apps of all
 * kinds share (core 21, outbox 17, engines of segments and records 50, the inspector 25, the command line 17), to a quarter the adapters (scripts of
 * Redis 43, IndexedDB 25, files 24, Cloudflare's 23, SQL 16); 64 are all of the outbox once more, as the script for classic workers, and 80 the
 * declarations with their comments.
 */
const PACKED = { quayside: 440 * 1000, 'quayside-conformance': 89 * 1000 }

/** Bytes of such an archive. */
function packed({ folder: source, pkg }) {
  const folder = mkdtempSync(join(tmpdir(), 'quayside-pack-'))
  try {
    for (const name of ['package.json', 'README.md', 'LICENSE', ...pkg.files])
      cpSync(join(source, name), join(folder, name), {
        recursive: true,
        filter: (path) => !path.endsWith('.map'),
      })
    const { stdout, status, stderr } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: folder,
      encoding: 'utf8',
      shell: process.platform === 'win32',
    })
    if (status !== 0) throw new Error(`npm pack failed: ${stderr}`)
    return JSON.parse(stdout)[0].size
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** All of each subpath. */
function subpaths() {
  return Object.entries(pkg.exports)
    .filter(([, target]) => typeof target !== 'string')
    .map(([subpath]) => pkg.name + subpath.slice(1))
    .map((name) => ({ name: `all of ${name}`, code: `export * from '${name}'` }))
}

/** Bytes of the code with all it imports, minified by the bundler as those of apps do, and compressed besides. */
export async function bundle(code) {
  const build = await rolldown({
    input: 'entry',
    // What is loaded only where it is needed lies in a chunk of its own, which takes what it shares from this one.
    preserveEntrySignatures: 'allow-extension',
    external: /^(node:|cloudflare:|react$)/,
    platform: 'browser',
    tsconfig: false,
    // What others ask for, to leave their warnings out.
    transform: { define: { 'process.env.NODE_ENV': '"production"' } },
    plugins: [
      {
        name: 'entry',
        resolveId(source) {
          if (source === 'entry') return '\0entry'
          const target = pkg.exports[source.replace(pkg.name, '.')]
          if (!target) return null
          return {
            id: fileURLToPath(new URL(`../${target.default}`, import.meta.url)),
            moduleSideEffects: pkg.sideEffects.some((pattern) =>
              matchesGlob(target.default.slice(2), pattern),
            ),
          }
        },
        load: (id) => (id === '\0entry' ? code : null),
      },
    ],
    onwarn(warning) {
      throw new Error(warning.message)
    },
  })
  const { output } = await build.generate({ format: 'es', minify: true })
  await build.close()
  const [{ code: minified }] = output
  return { minified: Buffer.byteLength(minified), gzipped: gzipSync(minified, { level: 9 }).length }
}

/** What the code costs more than that which is there besides. */
async function cost(code, besides) {
  const whole = await bundle(code)
  if (besides === undefined) return whole
  const rest = await bundle(besides)
  return { minified: whole.minified - rest.minified, gzipped: whole.gzipped - rest.gzipped }
}

/** Where users read what bundles cost, a row `| name | 1.2 kB |` each; the name may have a link in it. */
const PAGES = ['README.md', 'docs/speed.md']
const ROW = /^\| (.+) \| ([\d.]+) kB \|$/gm

/** Compares what pages say with the bytes of bundles by their names, or writes it. Answers with what is not true. */
function untrue(bytes, write) {
  return PAGES.flatMap((page) => {
    const file = fileURLToPath(new URL(`../${page}`, import.meta.url))
    const text = readFileSync(file, 'utf8')
    const wrong = []
    const right = text.replaceAll(ROW, (row, title, said) => {
      const name = title.replaceAll(/\[(.*?)\]\(.*?\)/g, '$1')
      if (!bytes.has(name)) return row
      const is = (bytes.get(name) / 1000).toFixed(1)
      if (Math.abs(said - is) > 0.11) wrong.push(`${page} says ${said} kB of ${name}, and it is ${is}`)
      return row.replace(`${said} kB`, `${is} kB`)
    })
    if (!write) return wrong
    writeFileSync(file, right)
    return []
  })
}

async function main() {
  let failed = false
  const bytes = new Map()
  console.log('| bundle | min | min + gzip | budget | |\n|---|---|---|---|---|')
  for (const { name, code, budget, besides } of process.argv.includes('--all')
    ? [...USES, ...subpaths()]
    : USES) {
    const { minified, gzipped } = await cost(code, besides)
    const over = budget !== undefined && gzipped > budget
    failed ||= over
    bytes.set(name, gzipped)
    console.log(
      `| ${name} | ${minified} B | ${gzipped} B | ${budget ?? '–'} | ${over ? `OVER by ${gzipped - budget} B` : budget ? 'ok' : ''} |`,
    )
  }
  for (const one of PACKAGES) {
    const { name } = one.pkg
    const archive = packed(one)
    const over = archive > PACKED[name]
    failed ||= over
    console.log(
      `\n${name}, packed without maps: ${archive} B of ${PACKED[name]}${over ? `: OVER by ${archive - PACKED[name]} B` : ''}`,
    )
  }
  const wrong = untrue(bytes, process.argv.includes('--write'))
  if (wrong.length > 0)
    console.error(`size: ${wrong.join('\n      ')}\n      npm run size -- --write corrects them`)
  if (wrong.length > 0) process.exitCode = 1
  if (failed) {
    console.error('size: over budget: make it smaller, or raise the budget in scripts/size.mjs and say why')
    process.exitCode = 1
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
