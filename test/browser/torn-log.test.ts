import { appendFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchChromium, remove, temporaryFolder } from './support/browsers.ts'
import { bundle } from './support/bundle.ts'
import { kill } from './support/kill.ts'
import { type Site, openSite, page } from './support/site.ts'

let site: Site
beforeAll(async () => {
  site = await openSite({ '/quayside.js': await bundle('test/browser/pages/quayside.ts') })
  site.routes.set('/', page('/quayside.js'))
})
afterAll(() => site.close())

/** A record of LevelDB's log whose header promises 200 bytes, of which the browser died before it wrote any. */
const HALF_A_RECORD = Buffer.from([1, 2, 3, 4, 200, 0, 1])

test('a browser that is killed in the middle of a write, twice, keeps every message', async () => {
  const profile = await temporaryFolder('torn-log')
  const folder = join(
    profile,
    `Default/IndexedDB/http_localhost_${new URL(site.origin).port}.indexeddb.leveldb`,
  )
  /** Sends ten messages in a new browser, which then dies. */
  const sendAndDie = async (): Promise<unknown> => {
    const context = await launchChromium({ profile })
    const tab = await context.newPage()
    await tab.goto(site.origin)
    await tab.waitForFunction(() => 'quayside' in globalThis)
    const found = await tab.evaluate(async () => {
      const events: string[] = []
      const queue = new quayside.Queue('q', {
        storage: new quayside.IndexedDBAdapter({ onEvent: ({ type }) => events.push(type) }),
      })
      const producer = queue.createProducer()
      for (let i = 0; i < 10; i++) await producer.send(i)
      return { messages: (await queue.stats()).messages, events }
    })
    await kill(context, profile)
    const log = (await readdir(folder))
      .filter((name) => name.endsWith('.log'))
      .toSorted()
      .at(-1)!
    await appendFile(join(folder, log), HALF_A_RECORD)
    return found
  }
  try {
    expect(await sendAndDie()).toEqual({ messages: 10, events: [] })
    expect(await sendAndDie()).toEqual({ messages: 20, events: [] })
    expect(await sendAndDie()).toEqual({ messages: 30, events: [] })
    // What another script of the origin has brought about is told.
    const damaged = await launchChromium({ profile })
    const tab = await damaged.newPage()
    await tab.goto(site.origin)
    await tab.evaluate(
      () =>
        new Promise((resolve) => {
          const opening = indexedDB.open('another', 1)
          opening.onupgradeneeded = () => opening.result.createObjectStore('rows').put('a'.repeat(1000), 1)
          opening.onsuccess = resolve
        }),
    )
    await kill(damaged, profile)
    expect(await sendAndDie()).toEqual({ messages: 10, events: ['damaged'] })
  } finally {
    await remove(profile)
  }
})
