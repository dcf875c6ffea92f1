import { QuaysideError } from '../../src/errors.ts'
import { type Outcome, type Wire, resultOf, toWire } from './outcome.ts'
import type { ObjectNamespace, ObjectSocket } from './platform.ts'
import { VERBS, type Verb } from './verbs.ts'

/** What a caller has of a `QueueObject`. */
interface RemoteObject {
  verb(name: Verb, args: Wire): Promise<Outcome>
  fetch(request: Request | string, init?: RequestInit): Promise<Response>
}

/** One object, as others reach it. */
export class Stub {
  readonly #name: string
  readonly #connect: () => RemoteObject
  #remote: RemoteObject | undefined

  constructor(namespace: ObjectNamespace, name: string, locationHint: string | undefined) {
    this.#name = name
    this.#connect = () =>
      namespace.get(
        namespace.idFromName(name) as never,
        (locationHint === undefined ? {} : { locationHint }) as never,
      ) as RemoteObject
  }

  /** Has the object do a verb: one request. */
  async call(verb: Verb, args: readonly unknown[]): Promise<unknown> {
    return resultOf(await this.#reach(verb, VERBS[verb], (remote) => remote.verb(verb, toWire(args))))
  }

  fetch(request: Request): Promise<Response> {
    return this.#reach('watch', true, (remote) => remote.fetch(request))
  }

  /** A WebSocket on which the object tells that the queue has changed. */
  async watch(): Promise<ObjectSocket> {
    const { webSocket } = (await this.#reach('watch', true, (remote) =>
      remote.fetch('https://quayside/watch', { headers: { upgrade: 'websocket' } }),
    )) as Response & { readonly webSocket: ObjectSocket }
    webSocket.accept()
    return webSocket
  }

  async #reach<T>(verb: string, isRead: boolean, work: (remote: RemoteObject) => Promise<T>): Promise<T> {
    const remote = (this.#remote ??= this.#connect())
    try {
      return await work(remote)
    } catch (error) {
      // Once an object has failed, what reached it may be broken for good.
      if (this.#remote === remote) this.#remote = undefined
      throw platformError(`${verb}, the Durable Object ${JSON.stringify(this.#name)}`, isRead, error)
    }
  }
}

export function closedError(tried: string): QuaysideError {
  return new QuaysideError('CLOSED', `${tried}: this queue was closed; open it again`)
}

/**
 * What the platform's errors mean: the object itself answers with its own. Overload is told before the call has reached the
 * object. Any other failure may have come on the way back, and leaves open what was done.
 */
function platformError(tried: string, isRead: boolean, cause: unknown): QuaysideError {
  const text = cause instanceof Error ? cause.message : String(cause)
  const { overloaded } = (cause ?? {}) as { overloaded?: boolean }
  if (isRead || overloaded === true) {
    const advice =
      overloaded === true ? 'it has too much to do; use more shards, or send larger batches' : 'try again'
    return new QuaysideError('STORAGE_UNAVAILABLE', `${tried}: ${text}. Nothing was changed; ${advice}`, {
      cause,
    })
  }
  return new QuaysideError('STORAGE_FAILED', `${tried}: ${text}. Whether it was done is unknown`, { cause })
}
