import type {
  BatchMessage,
  Handler,
  HandlerContext,
  Message,
  MessageOptions,
  Queue,
  ResumeOptions,
  SendBatchOptions,
  SendOptions,
  SendResult,
} from '../core/index.ts'
import { checkFunction, checkObject, checkQueue, mustBe } from '../check.ts'
import { QuaysideError } from '../errors.ts'
import { validate } from '../core/inside.ts'
import type { Version } from './version.ts'

/** Kinds of messages, by their names. */
export type Definitions = Readonly<Record<string, Version<unknown>>>

/** What the newest version of a kind carries. */
export type PayloadOf<M extends Definitions, K extends keyof M> = M[K] extends Version<infer T> ? T : never

/** One message of a batch. */
export type TypedBatchMessage<M extends Definitions> = {
  readonly [K in keyof M]: MessageOptions & { readonly name: K; readonly payload: PayloadOf<M, K> }
}[keyof M]

/** As a {@link Producer}, with the name of the kind before the payload. */
export interface TypedProducer<M extends Definitions> {
  /** @throws as {@link Producer.send}; `SCHEMA_MISMATCH` where the payload does not fit the newest version. */
  send<K extends keyof M & string>(
    name: K,
    payload: PayloadOf<M, K>,
    options?: SendOptions,
  ): Promise<SendResult>
  /** @throws as {@link Producer.sendBatch}, and {@link send} */
  sendBatch(messages: readonly TypedBatchMessage<M>[], options?: SendBatchOptions): Promise<SendResult[]>
}

/** One for each kind. It works on a payload of the newest version; else it is as {@link Handler}. */
export type Handlers<M extends Definitions> = {
  readonly [K in keyof M]: (
    payload: PayloadOf<M, K>,
    message: Message<unknown>,
    context: HandlerContext,
  ) => unknown
}

/** For `run` and `drain` of a consumer. */
export interface TypedHandler<H> extends Handler<unknown> {
  /** Only for its type. */
  readonly handlers?: H
}

/** What the handler of a kind returns: what {@link Queue.result} may answer with, as `queue.result<ReturnOf<typeof handle, 'welcome'>>(id)`. */
export type ReturnOf<
  F extends TypedHandler<unknown>,
  K extends keyof NonNullable<F['handlers']>,
> = NonNullable<F['handlers']>[K] extends (...args: never) => infer R ? Awaited<R> : never

/** Kinds of messages that share a queue. Name and version travel in the headers `message-name` and `message-version`. */
export interface Messages<M extends Definitions> {
  producer(queue: Queue): TypedProducer<M>
  /** A message for {@link Producer.sendBatch} or a schedule. @throws as {@link TypedProducer.send} */
  make<K extends keyof M & string>(
    name: K,
    payload: PayloadOf<M, K>,
    options?: MessageOptions,
  ): Promise<BatchMessage<unknown>>
  /**
   * A handler that has each kind worked on by its own. What older code sent is upgraded first. What this code cannot read is
   * parked: a newer version, an unknown name, a payload that does not fit its schema; {@link resume} has newer code read it. A
   * storage that cannot park has it come again each minute, without losing an attempt.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`: a kind has none.
   */
  handlers<H extends Handlers<M>>(
    handlers: H & Readonly<Record<Exclude<keyof H, keyof M>, never>>,
  ): TypedHandler<H>
  /**
   * Resumes what other code has parked because it could not read it, and this code knows. Call it when a new version is deployed
   * and the last of the old is gone. Answers with how many there were.
   */
  resume(queue: Queue, options?: ResumeOptions): Promise<number>
}

const checkVersion = mustBe('made by version()', (value) =>
  Array.isArray((value as Partial<Version<unknown>> | undefined)?.steps),
)

const NAME = 'message-name'
const VERSION = 'message-version'
/** Tells those apart that were parked because they could not be read. */
const CODE = 'NOT_YET_READABLE'
/** Where nothing can be parked: when it comes again, in ms. */
const AGAIN_MS = 60_000

/**
 * Says what messages a queue carries.
 *
 * ```ts
 * const messages = defineMessages({ welcome: version<{ name: string }>(), goodbye: version<{ name: string }>() })
 * await messages.producer(queue).send('welcome', { name: 'Ada' })
 * ```
 *
 * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
 */
export function defineMessages<const M extends Definitions>(definitions: M): Messages<M> {
  checkObject('defineMessages', 'definitions', definitions)
  for (const [name, one] of Object.entries(definitions)) checkVersion('defineMessages', name, one)
  /** The steps from the version in the headers on. `undefined`: it is not known here. */
  const stepsOf = (headers: Readonly<Record<string, string>>) => {
    const steps = definitions[headers[NAME]!]?.steps
    const from = Number(headers[VERSION]) - 1
    return steps?.[from] && steps.slice(from)
  }

  const make: Messages<M>['make'] = async (name, payload, options) => {
    const steps = definitions[name]?.steps
    if (steps === undefined)
      throw new QuaysideError('INVALID_ARGUMENT', `send: there is no message ${JSON.stringify(name)}`)
    const { schema } = steps.at(-1)!
    const checked = schema && validate('send', schema, payload)
    if (checked instanceof Promise) await checked
    const headers = { ...options?.headers, [NAME]: name, [VERSION]: `${steps.length}` }
    return { ...options, payload, headers }
  }

  return {
    make,
    producer(queue) {
      checkQueue('producer', 'queue', queue)
      const producer = queue.createProducer()
      return {
        async send(name, payload, options) {
          const { payload: made, ...rest } = await make(name, payload, options)
          return await producer.send(made, rest)
        },
        async sendBatch(messages, options) {
          const made = messages.map(({ name, payload, ...rest }) =>
            make(name as string, payload as never, rest),
          )
          return await producer.sendBatch(await Promise.all(made), options)
        },
      }
    },
    handlers(handlers) {
      checkObject('handlers', 'handlers', handlers)
      // One that is missing would bury what nobody else may read.
      for (const name in definitions) checkFunction('handlers', name, handlers[name])
      return async (message, context) => {
        const { headers } = message
        const steps = stepsOf(headers)
        if (steps === undefined)
          return await park(
            message,
            `version ${headers[VERSION]} of the message ${headers[NAME]} is not known here`,
          )
        let { payload } = message
        for (const [i, { schema, upgrade }] of steps.entries()) {
          if (i > 0) payload = await upgrade!(payload as never)
          try {
            if (schema !== undefined) payload = await validate('receive', schema, payload)
          } catch (error) {
            if ((error as Partial<QuaysideError>).code !== 'SCHEMA_MISMATCH') throw error
            return await park(message, (error as Error).message)
          }
        }
        return await handlers[headers[NAME]!]!(payload as never, message, context)
      }
    },
    async resume(queue, options) {
      const ids: string[] = []
      let cursor: string | undefined
      do {
        const page = await queue.list({ ...options, state: 'parked', bodies: false, cursor })
        for (const { id, headers, parked } of page.messages)
          if ((parked?.data as { code?: unknown } | undefined)?.code === CODE && stepsOf(headers))
            ids.push(id)
        cursor = page.cursor
      } while (cursor !== undefined)
      return (await queue.resume(ids, options)).filter(Boolean).length
    },
  }
}

async function park(message: Message<unknown>, reason: string): Promise<void> {
  try {
    await message.park({ reason, data: { code: CODE } })
  } catch (error) {
    if ((error as Partial<QuaysideError>).code !== 'UNSUPPORTED') throw error
    await message.nack({ counts: false, delayMs: AGAIN_MS, reason })
  }
}
