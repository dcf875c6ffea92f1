import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Locator, Page } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { SQLiteAdapter } from '../../adapters/sqlite/index.ts'
import { type Permission, inspectorHandler, nodeListener } from '../../inspector/server/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { Queue } from '../../src/index.ts'
import type { StorageAdapter } from '../../src/storage.ts'
import { temporaryDirectory } from '../fs/temporary.ts'
import { LOOKS, violations } from './support/axe.ts'
import { useBrowsers } from './support/fixture.ts'

const browsers = useBrowsers()

async function serve(
  queues: readonly Queue[],
  permission: Permission = true,
): Promise<{ readonly tab: Page; readonly problems: string[]; readonly address: string }> {
  const server = createServer(nodeListener(inspectorHandler(queues, { allow: () => permission })))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const tab = await (await browsers.chromium()).newPage()
  tab.setDefaultTimeout(45_000)
  onTestFinished(async () => {
    await tab.close()
    server.close()
    server.closeAllConnections()
    for (const queue of queues) await queue.close()
  })
  const problems: string[] = []
  tab.on('pageerror', (error) => problems.push(String(error)))
  tab.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  const address = `http://localhost:${(server.address() as AddressInfo).port}/admin/queues`
  await tab.goto(address)
  return { tab, problems, address }
}

async function fill(queue: Queue): Promise<void> {
  const producer = queue.createProducer()
  await producer.sendBatch([
    { payload: { order: 1 } },
    { payload: { order: 2 } },
    { payload: { order: 3 } },
    { payload: { to: 'nobody' }, id: 'mail-1', headers: { by: 'ada' } },
  ])
  const [one, two, three, mail] = await queue.createConsumer().receiveBatch(4)
  await one!.reject({ reason: 'order 1 is gone' })
  await two!.reject({ reason: 'order 2 is gone' })
  await three!.reject({ reason: 'the bank is closed' })
  await mail!.park({ reason: 'no such address' })
  await producer.send('in a lane', { lane: 'tenant-1' })
}

const group = (tab: Page): Locator => tab.getByRole('region', { name: 'Group default' })
const counts = async (tab: Page): Promise<string> =>
  (await group(tab).getByRole('listitem').allInnerTexts())
    .map((text) => text.replaceAll(/\s+/g, ' '))
    .join(', ')

const STORAGES: readonly (readonly [name: string, open: () => StorageAdapter])[] = [
  ['memory', () => new MemoryAdapter()],
  ['fs', () => new NodeFsAdapter(temporaryDirectory())],
  ['SQLite', () => new SQLiteAdapter(`${temporaryDirectory()}/app.db`)],
]

describe.each(STORAGES)('the inspector for servers, on %s', (_, open) => {
  test('shows a queue, follows it, and acts on it', async () => {
    const queue = new Queue('orders', { storage: open() })
    await fill(queue)
    const { tab, problems } = await serve([queue])
    await expect.poll(() => counts(tab)).toBe('1 ready, 0 leased, 0 delayed, 0 blocked, 1 parked, 3 dead')

    await queue.createProducer().send('news')
    await expect.poll(() => counts(tab)).toMatch(/^2 ready/)

    await group(tab).getByText('Dead letters by error').click()
    await tab.getByRole('button', { name: 'Redrive those with order # is gone' }).click()
    await expect
      .poll(async () => (await queue.stats()).groups['default'])
      .toMatchObject({ dead: 1, ready: 4 })

    await tab.getByRole('button', { name: 'Hold lane tenant-1 of group default' }).click()
    await expect.poll(async () => (await queue.stats()).holds).toMatchObject([{ lane: 'tenant-1' }])
    await tab.getByRole('button', { name: 'Release lane tenant-1 of group default' }).click()
    await expect.poll(async () => (await queue.stats()).holds).toEqual([])

    await tab.getByRole('button', { name: 'Edit {"to":"nobody"}' }).click()
    await tab.getByRole('textbox', { name: 'Payload, as JSON' }).fill('{"to":"ada"}')
    await tab.getByRole('button', { name: 'Save and resume' }).click()
    await expect
      .poll(async () => (await queue.list({ ids: ['mail-1'] })).messages)
      .toMatchObject([{ state: 'ready', payload: { to: 'ada' }, headers: { by: 'ada' } }])

    const drop = tab.getByRole('button', { name: /^Drop.* news$/ })
    await drop.click()
    await drop.click()
    await expect.poll(async () => JSON.stringify((await queue.list()).messages)).not.toContain('news')
    expect(problems).toEqual([])
  })
})

describe('the inspector for servers', () => {
  test('has a link for each queue, and keeps names and ids out of what the server is asked for', async () => {
    const storage = new MemoryAdapter()
    const queues = ['orders', 'mails <img>'].map((name) => new Queue(name, { storage }))
    await fill(queues[1]!)
    const { tab, address } = await serve(queues)
    const asked: string[] = []
    tab.on('request', (request) => asked.push(request.url()))
    await tab.getByRole('link', { name: 'mails <img>' }).click()
    await expect.poll(() => counts(tab)).toMatch(/3 dead$/)
    expect(await tab.getByRole('heading', { level: 2 }).innerText()).toBe('mails <img>')
    expect(await tab.title()).toBe('mails <img> – queues')
    await tab.reload()
    await expect.poll(() => counts(tab)).toMatch(/3 dead$/)
    const urls = new Set(asked.map((url) => url.replace(/=\w+|#.*/g, '')))
    urls.delete('data:,')
    expect([...urls].sort()).toEqual([address, `${address}?events`, `${address}?script`, `${address}?style`])
  })

  test('offers nothing that changes something to who may only look', async () => {
    const queue = new Queue('orders', { storage: new MemoryAdapter() })
    await fill(queue)
    const { tab } = await serve([queue], 'read')
    await expect.poll(() => counts(tab)).toMatch(/3 dead$/)
    const acts = tab.getByRole('button', { name: /Drop|Redrive|Resume|Edit|Hold|Delete/ })
    expect(await acts.count()).toBe(0)
    expect(await tab.getByText('read only').count()).toBe(1)
  })

  test('does nothing that a page of another site asks for', async () => {
    const queue = new Queue('orders', { storage: new MemoryAdapter() })
    await fill(queue)
    const { address } = await serve([queue])
    const other = await serve([])
    const question = JSON.stringify({ queue: 'orders', verb: 'cancel', args: [['mail-1']] })
    const answered = await other.tab.evaluate(
      async ([url, body]) => {
        const ask = async (init: RequestInit): Promise<string> =>
          await fetch(url!, init).then(
            ({ type, status }) => `${type} ${status}`,
            () => 'refused',
          )
        return [
          await ask({ method: 'POST', body: body!, headers: { 'content-type': 'application/json' } }),
          await ask({ method: 'POST', body: body! }),
          await ask({}),
        ]
      },
      // Another port of the same host is another origin, and another host another site.
      [address.replace('localhost', '127.0.0.1'), question],
    )
    expect(answered).toEqual(['refused', 'refused', 'refused'])
    expect((await queue.list({ ids: ['mail-1'] })).messages).toHaveLength(1)
  })

  test('says what went wrong, and goes on when it works again', async () => {
    const queue = new Queue('orders', { storage: new MemoryAdapter() })
    await fill(queue)
    const { tab } = await serve([queue])
    await expect.poll(() => counts(tab)).toMatch(/3 dead$/)
    const { stats } = queue
    queue.stats = () => Promise.reject(new Error('redis://:secret@host is gone'))
    await tab.getByRole('button', { name: 'Redrive all of group default' }).click()
    await expect
      .poll(() => tab.getByRole('alert').allInnerTexts())
      .toContain('The queue cannot be read: The storage failed: see what the server says of it.')
    queue.stats = stats
    await expect.poll(() => counts(tab)).toMatch(/0 dead$/)
  })

  test.each(LOOKS)('is accessible, and fits: %s at %i px', async (colorScheme, width) => {
    const storage = new MemoryAdapter()
    const queues = ['orders', 'mails', 'orders.schedules'].map((name) => new Queue(name, { storage }))
    await fill(queues[0]!)
    const { tab } = await serve(queues)
    await tab.emulateMedia({ colorScheme })
    await tab.setViewportSize({ width, height: 800 })
    await expect.poll(() => counts(tab)).toMatch(/3 dead$/)
    await group(tab).getByText('Dead letters by error').click()
    await tab.getByRole('button', { name: 'Redrive those with order # is gone' }).waitFor()
    expect(await violations(tab)).toEqual([])
    expect(await tab.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width)
  })
})
