import { expect, test } from 'vitest'
import type { KVBinding } from '../../adapters/cloudflare-kv/index.ts'
import { Queue, QuaysideError } from '../../src/index.ts'
import { CloudflareKVAdapter } from '../../adapters/cloudflare-kv/index.ts'
import { Setting } from '../cloudflare-kv/support/setting.ts'
import { randomFrom } from '../../conformance/scene.ts'
import { pick } from '../fs/history.ts'

const GARBAGE: readonly unknown[] = [
  null,
  0,
  -1,
  1e9,
  1e300,
  '',
  'x',
  '%',
  '0-999999999999',
  '9-1',
  '__proto__',
  true,
  [],
  {},
  [null],
  ['a', 'b'],
]

interface Entry {
  readonly name: string
  readonly value: string
  readonly metadata: unknown
}

async function entriesOf(kv: KVBinding): Promise<Entry[]> {
  const { keys } = await kv.list({ prefix: 'quayside/q/' })
  const values = await kv.get(
    keys.map(({ name }) => name),
    { type: 'text' },
  )
  return keys.map(({ name, metadata }) => ({ name, value: values.get(name) ?? '', metadata }))
}

/** A value with some part of it exchanged for garbage, or all. */
function forge(random: () => number, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || random() < 0.2) return pick(random, GARBAGE)
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>
  const name = pick(random, Object.keys(copy))
  if (random() < 0.2) delete copy[name]
  else copy[name] = forge(random, copy[name])
  return copy
}

function forgeText(random: () => number, text: string): string {
  if (random() < 0.3) return JSON.stringify(pick(random, GARBAGE))
  const [head, ...rest] = text.split('\n') as [string, ...string[]]
  if (head === '' || random() < 0.3) return text.slice(0, Math.floor(random() * text.length))
  return [JSON.stringify(forge(random, JSON.parse(head))), ...rest].join('\n')
}

/** A queue with all kinds of keys, one of which is then forged. Answers with what became of its consumer. */
async function meetForgery(seed: number): Promise<string> {
  const random = randomFrom(seed)
  const setting = new Setting()
  const make = (): CloudflareKVAdapter =>
    new CloudflareKVAdapter(setting.isolate().binding, { ...setting.options, maxOperations: 5000 })
  const one = new Queue<unknown>('q', { storage: make() })
  const producer = one.createProducer()
  await producer.sendBatch(
    [1, 2, 3, 4].map((payload) => ({ payload, ...(payload % 2 === 1 && { headers: { a: 'b' } }) })),
  )
  await producer.send(new Uint8Array([1, 2]), { delayMs: 1000, expiresInMs: 50_000 })
  const consumer = one.createConsumer('g')
  const [retried, rejected] = await consumer.receiveBatch(3)
  await retried!.nack({ delayMs: 500 })
  await rejected!.reject()
  await producer.sendBatch([7, 8, 9].map((payload) => ({ payload })))
  await new Queue<string>('other', { storage: make() }).createProducer().send('untouched')

  const kv = setting.isolate().binding
  const { name, value, metadata } = pick(random, await entriesOf(kv))
  const how = random()
  setting.pass(2000)
  const isStray = how < 0.1
  const key = isStray ? `quayside/q/${pick(random, ['s', 'x/y', 'zzz', 'g0', `r${'!'.repeat(21)}`])}` : name
  await (how < 0.6
    ? kv.put(key, value, { metadata: forge(random, metadata) })
    : kv.put(key, forgeText(random, value), { metadata }))
  setting.pass(200_000)

  // Another isolate, which knows nothing yet.
  const storage = make()
  const queue = new Queue<unknown>('q', { storage })
  const other = new Queue<string>('other', { storage })
  let end = 'goes on'
  try {
    const again = queue.createConsumer('g')
    for (let round = 0; round < 4; round++) {
      setting.pass(40_000)
      await again.drain(() => undefined, { concurrency: 5 })
    }
    await queue.stats()
    await queue.list({ group: 'g' })
    const { messages } = await queue.deadLetters('g').list()
    if (messages.some(({ reason }) => reason === 'unreadable')) end = 'dead letters'
    await queue.deadLetters('g').redrive()
    await queue.createProducer().send('after')
    let after = false
    await again.drain(({ payload }) => void (after ||= payload === 'after'))
    if (!after) end = 'stands still'
    await queue.purge()
    if ((await queue.stats()).messages > 0) end = 'is not purged'
  } catch (error) {
    if (!(error instanceof QuaysideError && error.code === 'CORRUPT'))
      throw new Error(`seed ${seed}: ${key}`, { cause: error })
    end = error.code
  }
  const untouched = await other.createConsumer().receive()
  expect(untouched?.payload, `seed ${seed}`).toBe('untouched')
  return end
}

test('what another Worker writes is passed over or a dead letter; the queue and others go on', async () => {
  const ends: Record<string, number> = {}
  const first = Number(process.env['SEED'] ?? 1)
  for (let seed = first; seed < first + Number(process.env['SEEDS'] ?? 300); seed++) {
    const end = await meetForgery(seed)
    ends[end] = (ends[end] ?? 0) + 1
  }
  console.log(ends)
  expect(Object.keys(ends).toSorted()).toEqual(['dead letters', 'goes on'])
}, 300_000)
