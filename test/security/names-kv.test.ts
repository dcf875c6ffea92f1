import { expect, onTestFinished, test } from 'vitest'
import { CloudflareKVAdapter } from '../../adapters/cloudflare-kv/index.ts'
import { Queue } from '../../src/index.ts'
import { Setting } from '../cloudflare-kv/support/setting.ts'
import { startWorker } from '../cloudflare-kv/support/workerd.ts'
import { NAMES } from './support/names.ts'

test('in workerd each queue gets its own messages and no others, whatever its name and prefix', async () => {
  const worker = await startWorker('test/security/workers/names.ts')
  onTestFinished(() => worker.close())
  const seen = await worker.json<[string, string[]][]>('/')
  expect(seen).toHaveLength(3 * NAMES.length)
  expect(seen).toEqual(seen.map(([name]) => [name, [name]]))
})

test('a queue does not list what lies under another prefix that begins with its own', async () => {
  const setting = new Setting()
  const open = (name: string, prefix: string): Queue<string> =>
    new Queue(name, {
      storage: new CloudflareKVAdapter(setting.isolate().binding, { ...setting.options, prefix }),
    })
  // Names that begin with the letters of kinds of keys.
  const names = ['sales', 'replies', 'groups', 'x']
  for (const name of names) {
    const inner = open(name, 'orders/')
    await inner.createConsumer('g').join()
    await inner.createProducer().send(name)
  }
  setting.pass(200_000)
  const outer = open('orders', '')
  expect(await outer.stats()).toMatchObject({ messages: 0, groups: {} })
  await outer.purge()
  for (const name of names) {
    const message = await open(name, 'orders/').createConsumer('g').receive()
    expect(message?.payload).toBe(name)
  }
})
