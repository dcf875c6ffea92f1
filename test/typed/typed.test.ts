import { describe, expect, test } from 'vitest'
import { type Message, Queue, type StandardSchema } from '../../src/index.ts'
import { defineMessages, version } from '../../src/typed/index.ts'
import { expectCode, setUp } from '../support/set-up.ts'

interface Named {
  readonly name: string
}
interface Person extends Named {
  readonly language: string
}
interface Guest extends Person {
  readonly since: number
}

/** A schema that looks for fields of a type. */
function having<T>(fields: Readonly<Record<keyof T & string, string>>, late = false): StandardSchema<T> {
  const validate = (value: unknown): ReturnType<StandardSchema<T>['~standard']['validate']> => {
    const wrong = Object.entries(fields).filter(
      ([name, type]) => typeof (value as Record<string, unknown> | null)?.[name] !== type,
    )
    const result =
      wrong.length > 0
        ? { issues: wrong.map(([name, type]) => ({ message: `must be a ${String(type)}`, path: [name] })) }
        : { value: value as T }
    return late ? Promise.resolve(result) : result
  }
  return { '~standard': { version: 1, vendor: 'test', validate } }
}

const named = having<Named>({ name: 'string' })
const person = having<Person>({ name: 'string', language: 'string' })
const guest = having<Guest>({ name: 'string', language: 'string', since: 'number' }, true)

/** What three releases know, each a version more than the one before. */
const first = defineMessages({ welcome: version(named), goodbye: version<Named>() })
const second = defineMessages({
  welcome: version(named).then(person, ({ name }) => ({ name, language: 'en' })),
  goodbye: version<Named>(),
  digest: version<readonly string[]>(),
})
const third = defineMessages({
  welcome: version(named)
    .then(person, ({ name }) => ({ name, language: 'en' }))
    .then(guest, async (old) => ({ ...old, since: 2026 })),
  goodbye: version<Named>().then(undefined, ({ name }) => name.length),
  digest: version<readonly string[]>(),
})

describe('a message', () => {
  test('goes to the handler of its kind, with name and version in its headers', async () => {
    const { queue, consumer } = setUp()
    const producer = second.producer(queue)
    await producer.send('welcome', { name: 'Ada', language: 'fr' }, { id: 'a', headers: { trace: 't' } })
    await producer.sendBatch([
      { name: 'goodbye', payload: { name: 'Bob' }, key: 'k' },
      { name: 'digest', payload: ['x'] },
    ])
    const { messages } = await queue.list()
    expect(messages.map(({ headers, key }) => ({ ...headers, key }))).toEqual([
      { trace: 't', 'message-name': 'welcome', 'message-version': '2', key: undefined },
      { 'message-name': 'goodbye', 'message-version': '1', key: 'k' },
      { 'message-name': 'digest', 'message-version': '1', key: undefined },
    ])
    const seen: unknown[] = []
    const { acked } = await consumer.drain(
      second.handlers({
        welcome: ({ name, language }, { id }) => seen.push([id, name, language]),
        goodbye: ({ name }) => seen.push(name),
        digest: (items) => seen.push(items),
      }),
    )
    expect(acked).toBe(3)
    expect(seen).toEqual([['a', 'Ada', 'fr'], 'Bob', ['x']])
  })

  test('of an older version is upgraded, step by step', async () => {
    const { queue, consumer } = setUp()
    await first.producer(queue).send('welcome', { name: 'Ada' })
    await second.producer(queue).send('welcome', { name: 'Bob', language: 'fr' })
    await third.producer(queue).send('welcome', { name: 'Eve', language: 'de', since: 1 })
    await first.producer(queue).send('goodbye', { name: 'Ada' })
    const seen: unknown[] = []
    await consumer.drain(
      third.handlers({
        welcome: (payload) => seen.push(payload),
        goodbye: (letters) => seen.push(letters),
        digest: () => expect.unreachable(),
      }),
    )
    expect(seen).toEqual([
      { name: 'Ada', language: 'en', since: 2026 },
      { name: 'Bob', language: 'fr', since: 2026 },
      { name: 'Eve', language: 'de', since: 1 },
      3,
    ])
  })

  test('that does not fit is refused, and so is one of no kind', async () => {
    const { queue } = setUp()
    const wrong = { name: 'Ada', language: 5 } as never
    await expectCode(second.producer(queue).send('welcome', wrong), 'SCHEMA_MISMATCH', 'language')
    await expectCode(third.producer(queue).send('welcome', wrong), 'SCHEMA_MISMATCH', 'since')
    for (const name of ['hello', 'constructor', '__proto__'])
      await expectCode(second.producer(queue).send(name as 'digest', []), 'INVALID_ARGUMENT', name)
    const batch = [
      { name: 'digest' as const, payload: [] },
      { name: 'hello' as never, payload: 1 as never },
    ]
    await expectCode(second.producer(queue).sendBatch(batch), 'INVALID_ARGUMENT', 'hello')
    expect((await queue.stats()).sent).toBe(0)
  })
})

describe('what this code cannot read is parked', () => {
  const nothing = { welcome: () => expect.unreachable(), goodbye: () => expect.unreachable() }

  test('a newer version, an unknown name, none at all, and a payload that does not fit', async () => {
    const { queue, consumer, producer } = setUp()
    await third.producer(queue).send('welcome', { name: 'Eve', language: 'de', since: 1 })
    await third.producer(queue).send('digest', [])
    await producer.send('plain')
    const forged = { 'message-name': 'welcome', 'message-version': '1' }
    await producer.send({ nobody: true }, { headers: forged })
    for (const at of ['0', '-1', '1.5', 'x', ''])
      await producer.send(1, { headers: { ...forged, 'message-version': at } })
    for (const name of ['constructor', '__proto__', 'toString'])
      await producer.send(1, { headers: { ...forged, 'message-name': name } })
    expect(await consumer.drain(first.handlers(nothing))).toMatchObject({ parked: 12, dead: 0, retried: 0 })
    const { messages } = await queue.list({ state: 'parked' })
    expect(messages.map(({ parked }) => parked!.reason).slice(0, 4)).toEqual([
      'version 3 of the message welcome is not known here',
      'version 1 of the message digest is not known here',
      'version undefined of the message undefined is not known here',
      'receive: the payload does not fit the schema: name: must be a string',
    ])
  })

  test('until code comes that can, and resumes it, and nothing else', async () => {
    const { queue, consumer, producer } = setUp()
    const send = third.producer(queue)
    await send.send('welcome', { name: 'Eve', language: 'de', since: 1 })
    await send.send('digest', ['a'])
    await send.send('goodbye', 5)
    await producer.send('plain')
    await consumer.drain(first.handlers(nothing))
    await send.send('digest', ['for a person'])
    const message = await consumer.receive()
    await message!.park({ reason: 'who is this?' })
    expect(await first.resume(queue)).toBe(0)
    expect(await second.resume(queue)).toBe(1)
    const seen: unknown[] = []
    const handlers = { ...nothing, digest: (payload: unknown) => seen.push(payload) }
    expect(await consumer.drain(second.handlers(handlers))).toMatchObject({ acked: 1, parked: 0 })
    expect(await third.resume(queue, { group: 'default' })).toBe(2)
    const handle = third.handlers({ ...handlers, welcome: () => 0, goodbye: () => 0 })
    expect(await consumer.drain(handle)).toMatchObject({ acked: 2, parked: 0, dead: 0 })
    expect(seen).toEqual([['a']])
  })

  test('and comes again each minute where nothing can be parked', async () => {
    const { queue, consumer, clock } = setUp({ guarantees: { parking: false } })
    await third.producer(queue).send('digest', [])
    expect(await consumer.drain(first.handlers(nothing))).toMatchObject({ parked: 0, dead: 0, returned: 1 })
    for (let i = 0; i < 9; i++) {
      await clock.advance(60_000)
      await consumer.drain(first.handlers(nothing))
    }
    await clock.advance(60_000)
    const seen: Message<unknown>[] = []
    await consumer.drain(third.handlers({ ...nothing, digest: (_, message) => seen.push(message) }))
    expect(seen.map(({ attempt }) => attempt)).toEqual([1])
  })
})

test('what a handler throws, or an upgrade, fails the attempt', async () => {
  const { queue, consumer } = setUp()
  const failing = defineMessages({
    welcome: version(named).then(person, () => {
      throw new Error('not now')
    }),
  })
  await first.producer(queue).send('welcome', { name: 'Ada' })
  await failing.producer(queue).send('welcome', { name: 'Ada', language: 'en' })
  const handle = failing.handlers({
    welcome: () => {
      throw new Error('no')
    },
  })
  expect(await consumer.drain(handle)).toMatchObject({ retried: 2 })
  const { messages } = await queue.list({ state: 'delayed' })
  expect(messages.map(({ lastError }) => lastError)).toEqual(['not now', 'no'])
})

test('what a handler returns is the result', async () => {
  const { queue, consumer } = setUp({ keepMs: 60_000 })
  const { id } = await first.producer(queue).send('welcome', { name: 'Ada' })
  await consumer.drain(first.handlers({ welcome: ({ name }) => name.length, goodbye: () => 'bye' }))
  expect(await queue.result(id)).toMatchObject({ status: 'done', value: 3 })
})

test('a message can be made for others to send', async () => {
  await using queue = new Queue('q')
  const message = await second.make('digest', ['a'], { key: 'k' })
  expect(message).toEqual({
    payload: ['a'],
    key: 'k',
    headers: { 'message-name': 'digest', 'message-version': '1' },
  })
  await queue.createProducer().sendBatch([message])
  expect((await queue.stats()).messages).toBe(1)
})
