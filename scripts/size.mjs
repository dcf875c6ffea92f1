// npm run size: what a user's bundle grows by, dependencies included, minified and compressed, against a budget; and what npm
// downloads for the package. With --all also each subpath whole, without a budget.
// A budget is raised only in a commit that says why.
import { createHash } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, matchesGlob } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { rolldown } from 'rolldown'
import { minify } from 'terser'

const pkg = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const root = fileURLToPath(new URL('..', import.meta.url))
const kB = 1024

/**
 * What a user writes, and the bytes that it may cost, without what `besides` costs.
 *
 * In each with a core 0.8 kB asks what answers at once without promises, which makes memory three times as fast one at a time, and 0.3 is for
 * what engines of apps lack; that, with what is of another realm, is 0.5 in the outbox.
 */
export const USES = [
  {
    // The aim is 16 kB. What it costs today: 21 kB of core, half a kB of it for sends within transactions, and 13 kB of records,
    // adapter included: 0.5 of it so that nobody is searched for among a million and no map grows to one.
    name: 'core + memory',
    // What answers at once is asked without promises, 0.8 kB of the core, and payloads are copied by the rules of JSON, 0.6: so it takes
    // a third of the time one at a time, half in batches.
    budget: 36 * kB,
    code: `import { Queue } from 'quayside'
           import { MemoryAdapter } from 'quayside/memory'
           export const queue = new Queue('orders', { storage: new MemoryAdapter() })`,
  },
  {
    // The aim is 11 kB. The lean queue is 15 of it: checks, codec and ids 4, the desk at which all take and settle 4, the rest 7.
    name: 'lean queue + memory',
    budget: 29 * kB,
    code: `import { Queue } from 'quayside/lean'
           import { MemoryAdapter } from 'quayside/memory'
           export const queue = new Queue('orders', { storage: new MemoryAdapter() })`,
  },
  {
    name: 'core + IndexedDB + outbox + service worker',
    // The aim is 26 kB. The outbox and its worker are 13.8 of it, 9 more than before they knew persons and destinations: owners, holds,
    // cool-downs and probes 3.5, parked requests and edits 1.5, kept responses and parents 1.5, redirects, keys and conflicts 1,
    // what cannot be stored or streams 1. They were written to be right first.
    // 0.5 hears what other processes have sent, 0.4 has one request go first, and 0.1 tells of uploads.
    budget: 62 * kB,
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
    // 0.5 hears what other processes have sent, 0.4 has one request go first, and 0.1 tells of uploads.
    budget: 60.5 * kB,
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
    // The aim is 21.5 kB. The core is 21 of it, the engine some 17: each verb is written once, as steps that wait for rows.
    // 0.4 of it tells rows that another page has forged, which no loop may stumble over; 0.4 stores long bodies as blobs, so that a
    // thousand photos that wait need 14 MB and not 5 GB. 1.2 has messages that are sent at once share rows, which makes a batch of 100
    // 7 times as fast to send and twice as fast to take, and what is blocked share those of its key.
    budget: 47 * kB,
    code: `import { Queue } from 'quayside/core'
           import { IndexedDBAdapter } from 'quayside/indexeddb'
           export const queue = new Queue('orders', { storage: new IndexedDBAdapter() })`,
  },
  {
    // The aim is 15.5 kB.
    name: 'lean queue + IndexedDB',
    budget: 40 * kB,
    code: `import { Queue } from 'quayside/lean'
           import { IndexedDBAdapter } from 'quayside/indexeddb'
           export const queue = new Queue('orders', { storage: new IndexedDBAdapter() })`,
  },
  {
    // The aim is 9 kB. The core alone is 21.
    name: 'core + Durable Object client',
    // The bundler that measures costs it 0.1 kB more than the one before.
    budget: 27.5 * kB,
    code: `import { Queue } from 'quayside/core'
           import { DurableObjectAdapter } from 'quayside/durable-object'
           export const open = (env) => new Queue('orders', { storage: new DurableObjectAdapter(env.QUEUE) })`,
  },
  {
    name: 'Durable Object client alone',
    // Lanes, holds and outcomes over shards are 0.9 kB, the bundler that measures 0.2.
    budget: 6.25 * kB,
    code: `export { DurableObjectAdapter } from 'quayside/durable-object'`,
  },
  {
    // The aim is 9 kB for a Worker.
    name: 'core + Cloudflare KV',
    budget: 34.5 * kB,
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
    // the row of a group small with thousands in flight, and reads holds once, is 0.2 of it.
    budget: 57.25 * kB,
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
    budget: 15 * kB,
    besides: `export { Queue } from 'quayside/core'`,
    code: `export { Queue } from 'quayside/core'
           export * from 'quayside/inspector/server'`,
  },
  {
    name: 'inspector element',
    budget: 11 * kB,
    code: `export * from 'quayside/inspector'`,
  },
  {
    name: 'core + Redis (Node)',
    code: `import { Queue } from 'quayside/core'
           import { RedisAdapter } from 'quayside/redis'
           export const queue = (client) => new Queue('orders', { storage: new RedisAdapter(client) })`,
  },
  {
    // The aim is 11 kB. The core is 21; the scripts of all verbs are 29, and any verb may be the first that a server is sent.
    name: 'core + Redis over HTTP',
    budget: 60.75 * kB,
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
    // Croner is 10 of it.
    name: 'schedules, besides the core',
    budget: 13.5 * kB,
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
 * The archive that npm downloads, but for the maps of sources. The aim is 450 kB: 74 are the conformance suite, 60 the script for classic
 * workers, 78 the declarations with their comments; 1 came with what stores long bodies apart and says which app
 * has stored a request, 4 with steps on PostgreSQL that know their rows and rows of IndexedDB that messages share,
 * 5 with the driver of crashes, the steps and the scale of histories and values in parts, for who brings a storage, and
 * 2 with what groups see that do not exist yet, on each engine, 5 with uploads that are told of, what other processes have sent,
 * and requests that go first, 2 with verbs that answer at once and payloads that are copied, and 2 with what a byte store need not
 * read again.
 */
const PACKED = 513 * 1000

/** Bytes of that archive. */
function packed() {
  const folder = mkdtempSync(join(tmpdir(), 'quayside-pack-'))
  try {
    for (const name of ['package.json', ...pkg.files])
      cpSync(join(root, name), join(folder, name), {
        recursive: true,
        filter: (source) => !source.endsWith('.map'),
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

/** Bytes of the code with all it imports, minified, and compressed besides. */
export async function bundle(code) {
  const build = await rolldown({
    input: 'entry',
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
  const { output } = await build.generate({ format: 'es' })
  await build.close()
  return await sizesOf(output[0].code)
}

const CACHE = new URL('../node_modules/.cache/sizes/', import.meta.url)
const TERSER = JSON.parse(
  readFileSync(new URL('../node_modules/terser/package.json', import.meta.url), 'utf8'),
).version

/** To minify takes nearly all of the time: what was measured once is not measured again. */
async function sizesOf(code) {
  const hash = createHash('sha256').update(`${TERSER} ${process.versions.zlib} ${code}`).digest('hex')
  const file = new URL(`${hash}.json`, CACHE)
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    // Never measured.
  }
  const { code: minified } = await minify(code, { module: true, ecma: 2020 })
  const sizes = {
    minified: Buffer.byteLength(minified),
    gzipped: gzipSync(minified, { level: 9 }).length,
  }
  mkdirSync(CACHE, { recursive: true })
  writeFileSync(file, JSON.stringify(sizes))
  return sizes
}

/** What the code costs more than that which is there besides. */
async function cost(code, besides) {
  const whole = await bundle(code)
  if (besides === undefined) return whole
  const rest = await bundle(besides)
  return { minified: whole.minified - rest.minified, gzipped: whole.gzipped - rest.gzipped }
}

async function main() {
  let failed = false
  console.log('| bundle | min | min + gzip | budget | |\n|---|---|---|---|---|')
  for (const { name, code, budget, besides } of process.argv.includes('--all')
    ? [...USES, ...subpaths()]
    : USES) {
    const { minified, gzipped } = await cost(code, besides)
    const over = budget !== undefined && gzipped > budget
    failed ||= over
    console.log(
      `| ${name} | ${minified} B | ${gzipped} B | ${budget ?? '–'} | ${over ? `OVER by ${gzipped - budget} B` : budget ? 'ok' : ''} |`,
    )
  }
  const archive = packed()
  const over = archive > PACKED
  failed ||= over
  console.log(
    `\nThe package, without maps: ${archive} B of ${PACKED}${over ? `: OVER by ${archive - PACKED} B` : ''}`,
  )
  if (failed) {
    console.error('size: over budget: make it smaller, or raise the budget in scripts/size.mjs and say why')
    process.exitCode = 1
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
