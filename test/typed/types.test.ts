import { expectTypeOf, test } from 'vitest'
import { type Message, Queue, type Result, type StandardSchema } from '../../src/index.ts'
import {
  type PayloadOf,
  type ReturnOf,
  type Version,
  defineMessages,
  version,
} from '../../src/typed/index.ts'
import { schedule } from '../../src/schedule/index.ts'

interface Person {
  readonly name: string
  readonly language: string
}

const text: StandardSchema<string> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as string }) },
}
const person: StandardSchema<Person> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as Person }) },
}

const messages = defineMessages({
  welcome: version(text).then(person, (name) => ({ name, language: 'en' })),
  digest: version<readonly string[]>().then(undefined, async (items) => new Set(items).size),
})
const queue = new Queue('jobs')
const producer = messages.producer(queue)
const consumer = queue.createConsumer()

/** Never called: what is in it is only compiled. */
function compiled(_: () => unknown): void {
  // Nothing to run.
}

test('versions say what they carry', () => {
  expectTypeOf(version(text)).toEqualTypeOf<Version<string>>()
  expectTypeOf(version<number>()).toEqualTypeOf<Version<number>>()
  expectTypeOf<PayloadOf<{ readonly welcome: Version<Person> }, 'welcome'>>().toEqualTypeOf<Person>()
  compiled(() => {
    version(text).then(person, (name) => {
      expectTypeOf(name).toEqualTypeOf<string>()
      return { name, language: 'en' }
    })
    version(text).then(person, async (name) => ({ name, language: 'en' }))
    // @ts-expect-error An upgrade makes what the schema says.
    version(text).then(person, (name) => ({ name }))
    // @ts-expect-error It gets what the version before carries.
    version(text).then(person, (name: number) => ({ name: String(name), language: 'en' }))
    // @ts-expect-error A further version has an upgrade.
    version(text).then(person)
  })
})

test('a producer takes the newest version of each kind', () => {
  expectTypeOf(compiled).returns.toEqualTypeOf<void>()
  compiled(() => {
    void producer.send('welcome', { name: 'Ada', language: 'en' }, { lane: 'l' })
    void producer.send('digest', 5)
    void producer.sendBatch([
      { name: 'welcome', payload: { name: 'Ada', language: 'en' }, key: 'k' },
      { name: 'digest', payload: 5 },
    ])
    // @ts-expect-error That was version 1.
    void producer.send('welcome', 'Ada')
    // @ts-expect-error There is no such kind.
    void producer.send('hello', 'Ada')
    // @ts-expect-error That is what another kind carries.
    void producer.send('digest', { name: 'Ada', language: 'en' })
    // @ts-expect-error There is no such option.
    void producer.send('digest', 5, { delay: 5 })
    // @ts-expect-error Each has what its own kind carries.
    void producer.sendBatch([{ name: 'welcome', payload: 5 }])
    // @ts-expect-error Each has a name.
    void producer.sendBatch([{ payload: 5 }])
    // @ts-expect-error That was version 1.
    void messages.make('welcome', 'Ada')
    void (async () => schedule(queue, 's', { everyMs: 60_000 }, await messages.make('digest', 5)))
  })
})

test('handlers are there for every kind, and for no other', () => {
  const handle = messages.handlers({
    welcome: (payload, message, { signal }) => {
      expectTypeOf(payload).toEqualTypeOf<Person>()
      expectTypeOf(message).toEqualTypeOf<Message<unknown>>()
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>()
      return payload.name
    },
    digest: async (size) => {
      expectTypeOf(size).toEqualTypeOf<number>()
      return { size }
    },
  })
  compiled(() => {
    void consumer.run(handle)
    void consumer.drain(handle, { concurrency: 5 })
    // @ts-expect-error One is missing.
    messages.handlers({ welcome: () => undefined })
    // @ts-expect-error One is too many.
    messages.handlers({ welcome: () => undefined, digest: () => undefined, hello: () => undefined })
    // @ts-expect-error That was version 1.
    messages.handlers({ welcome: (name: string) => name, digest: () => undefined })
    // @ts-expect-error A handler is a function.
    messages.handlers({ welcome: 'hello', digest: () => undefined })
  })
})

test('results are what handlers return', () => {
  const handle = messages.handlers({ welcome: ({ name }) => name, digest: async (size) => ({ size }) })
  expectTypeOf<ReturnOf<typeof handle, 'welcome'>>().toEqualTypeOf<string>()
  expectTypeOf<ReturnOf<typeof handle, 'digest'>>().toEqualTypeOf<{ size: number }>()
  compiled(async () => {
    const result = await queue.result<ReturnOf<typeof handle, 'digest'>>('id')
    expectTypeOf(result).toEqualTypeOf<Result<{ size: number }> | undefined>()
  })
  // @ts-expect-error There is no such kind.
  expectTypeOf<ReturnOf<typeof handle, 'hello'>>().toBeNever()
})
