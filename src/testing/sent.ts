import { checkArray, checkQueue } from '../check.ts'
import type { BatchMessage, Producer, Queue, SendResult } from '../core/index.ts'
import { type Pattern, matches, show } from './pattern.ts'

/** A message as a program sent it, and what the queue said. */
export interface SentMessage<T> extends BatchMessage<T>, SendResult {
  readonly id: string
}

/**
 * Notes all that is sent from now on by producers that this queue object makes from now on, in `send` and `sendBatch`, once it is
 * stored. The queue works as ever. Call it before the code under test makes its producer, or its outbox.
 *
 * ```ts
 * import { Queue } from 'quayside'
 * import { expectSent, recordSent } from 'quayside/testing'
 *
 * const queue = new Queue<{ to: string }>('mails')
 * const sent = recordSent(queue)
 * await queue.createProducer().send({ to: 'ada@example.com' }, { key: 'ada' })
 * expectSent(sent, { payload: { to: /^ada@/ }, key: 'ada' })
 * ```
 *
 * @returns An array that grows; `sent.length = 0` forgets what is in it.
 */
export function recordSent<T>(queue: Queue<T>): SentMessage<T>[] {
  checkQueue('recordSent', 'queue', queue)
  const sent: SentMessage<T>[] = []
  const make = queue.createProducer.bind(queue)
  queue.createProducer = () => {
    const producer = make()
    const send = producer.send.bind(producer)
    const sendBatch = producer.sendBatch.bind(producer)
    const recorded: Pick<Producer<T>, 'send' | 'sendBatch'> = {
      async send(payload, options) {
        const result = await send(payload, options)
        sent.push({ payload, ...options, ...result })
        return result
      },
      async sendBatch(messages, options) {
        const results = await sendBatch(messages, options)
        sent.push(...messages.map((message, i) => ({ ...message, ...results[i]! })))
        return results
      },
    }
    return Object.assign(producer, recorded)
  }
  return sent
}

/**
 * Throws unless something in `list` looks like `pattern`: for messages of {@link recordSent} and requests of a
 * {@link FakeDestination}, in whatever test runner. The text shows what there is.
 *
 * @param pattern Of objects the named parts, of arrays each element; a `RegExp` for a text; a function that answers whether it is right.
 * @param times How often, exactly; 0: never. @defaultValue once or more often
 * @returns The first that looks so.
 * @throws `Error` whose name is `AssertionError`, and {@link QuaysideError} `INVALID_ARGUMENT`.
 * @example
 * ```ts
 * import { expectSent } from 'quayside/testing'
 *
 * expectSent([{ payload: 1 }, { payload: 2 }], { payload: 2 })
 * expectSent([{ payload: 1 }, { payload: 2 }], { payload: 3 }, 0)
 * ```
 */
export function expectSent<X>(list: readonly X[], pattern: Pattern<X>, times?: number): X | undefined {
  checkArray('expectSent', 'list', list)
  const found = list.filter((one) => matches(one, pattern))
  if (times === undefined ? found.length > 0 : found.length === times) return found[0]
  const wanted = times === undefined ? 'something' : `exactly ${times}`
  const all = list.map((one, i) => `\n  ${i + 1}. ${show(one)}`).join('')
  const error = new Error(
    `expected ${wanted} to be sent that looks like ${show(pattern)}; of ${list.length} there are ${found.length}:${all}`,
  )
  error.name = 'AssertionError'
  throw error
}
