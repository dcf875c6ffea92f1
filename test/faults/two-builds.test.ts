import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import * as fs from '../../adapters/fs/index.ts'
import * as redis from '../../adapters/redis/index.ts'
import * as core from '../../src/index.ts'
import { useBrowsers } from '../browser/support/fixture.ts'
import { bundle } from '../browser/support/bundle.ts'
import { openSite, page } from '../browser/support/site.ts'
import { connectClient } from '../redis/support/clients.ts'
import { startRedis } from '../redis/support/server.ts'
import { report } from './support/report.ts'

// A page and its service worker, two releases side by side: builds that share no module, and no name within.

interface Build {
  readonly Queue: typeof core.Queue
  readonly NodeFsAdapter: typeof fs.NodeFsAdapter
  readonly RedisAdapter: typeof redis.RedisAdapter
}

const SOURCES: Build = { ...core, ...fs, ...redis }
const EACH = 60
const KEYS = 4

const browsers = useBrowsers()

/** What was handled: sender, number, and when in ms since 1970. */
type Handled = readonly [sender: string, number: number, at: number]

function minified(entry: string, external: readonly string[] = []): Promise<string> {
  return bundle(entry, { external, minify: true })
}

/** The same sources once more, minified in one file. */
async function otherBuild(): Promise<Build> {
  const folder = mkdtempSync(join(tmpdir(), 'quayside-build-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'quayside.mjs')
  const external = builtinModules.map((name) => `node:${name}`)
  writeFileSync(file, await minified('test/faults/support/build.ts', external))
  const build = (await import(pathToFileURL(file).href)) as Build
  expect(build.Queue).not.toBe(core.Queue)
  return build
}

/** Sends, and works until nothing is left. It runs in tabs too, so it knows only what it is passed. */
async function work(
  queue: core.Queue<readonly [string, number]>,
  sender: string,
  each: number,
  keys: number,
): Promise<Handled[]> {
  const producer = queue.createProducer()
  const handled: Handled[] = []
  const consumer = queue.createConsumer()
  const sendAndDrain = async (from: number, to: number): Promise<void> => {
    for (let i = from; i < to; i++) await producer.send([sender, i], { key: `${i % keys}` })
    await consumer.drain(
      ({ payload }) => void handled.push([...payload, performance.timeOrigin + performance.now()]),
    )
  }
  for (let i = 0; i < each; i += 10) await sendAndDrain(i, i + 10)
  return handled
}

/** Each message was handled once, and those of a sender and key in order. */
function expectKept(adapter: string, handled: readonly Handled[]): void {
  const seen = handled.map(([sender, number]) => `${sender} ${number}`)
  const sent = ['a', 'b'].flatMap((sender) => Array.from({ length: EACH }, (_, i) => `${sender} ${i}`))
  const at = new Map(handled.map(([sender, number, time]) => [`${sender} ${number}`, time]))
  const early = handled.filter(
    ([sender, number, time]) => time < (at.get(`${sender} ${number - KEYS}`) ?? -Infinity),
  )
  report({
    adapter,
    fault: 'two builds of the package at once',
    messages: sent.length,
    violations: early.length + Math.abs(sent.length - seen.length),
  })
  expect(seen.toSorted()).toEqual(sent.toSorted())
  expect(early).toEqual([])
}

test('a directory that one build has open is shared by the other, which also reads it afterwards', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'quayside-builds-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const builds = [SOURCES, await otherBuild()]
  for (const [i, { Queue, NodeFsAdapter }] of [...builds, ...builds].entries()) {
    const queue = new Queue<readonly [string, number]>('q', { storage: new NodeFsAdapter(directory) })
    const left: unknown[] = []
    await queue.createConsumer().drain(({ payload }) => void left.push(payload))
    expect(left).toEqual(i === 0 ? [] : [['a', i - 1]])
    const { status } = await queue.createProducer().send(['a', i], { id: 'same', dedupeMs: 600_000 })
    expect(status).toBe(i === 0 ? 'stored' : 'duplicate')
    if (i === 0) await queue.createConsumer().drain(() => undefined)
    await queue.createProducer().send(['a', i], { key: 'k' })
    const other = builds[(i + 1) % 2]!
    const shared = new other.Queue<readonly [string, number]>('q', {
      storage: new other.NodeFsAdapter(directory),
    })
    expect((await shared.stats()).groups['default']).toMatchObject({ ready: 1 })
    await shared.close()
    await queue.close()
  }
})

test('two builds work on one Redis server', async () => {
  const server = await startRedis()
  onTestFinished(() => server.stop())
  const prefix = randomUUID()
  const handled = await Promise.all(
    [SOURCES, await otherBuild()].map(async ({ Queue, RedisAdapter }, i) => {
      const { client, close } = await connectClient('redis', server.url)
      onTestFinished(close)
      const storage = new RedisAdapter(client, { prefix })
      const queue = new Queue<readonly [string, number]>('q', { storage })
      onTestFinished(() => queue.close())
      return await work(queue, 'ab'[i]!, EACH, KEYS)
    }),
  )
  expectKept('redis', handled.flat())
})

test('two builds work on one database of two tabs', async () => {
  const entry = 'test/browser/pages/quayside.ts'
  const site = await openSite({ '/a.js': await bundle(entry), '/b.js': await minified(entry) })
  const context = await browsers.chromium()
  onTestFinished(() => site.close())
  const tabs = await Promise.all(
    ['a', 'b'].map(async (sender) => {
      site.routes.set(`/${sender}`, page(`/${sender}.js`))
      const tab = await context.newPage()
      await tab.goto(`${site.origin}/${sender}`)
      await tab.waitForFunction(() => 'quayside' in globalThis)
      return { tab, sender }
    }),
  )
  const handled = await Promise.all(
    tabs.map(({ tab, sender }) =>
      tab.evaluate<Handled[]>(
        `(${String(work)})(new quayside.Queue('q', { storage: new quayside.IndexedDBAdapter() }), '${sender}', ${EACH}, ${KEYS})`,
      ),
    ),
  )
  expectKept('indexeddb', handled.flat())
})
