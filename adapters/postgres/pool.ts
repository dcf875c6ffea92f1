import type { PostgresClient, PostgresPool, PostgresQuery } from './client.ts'
import type { Answer, Database, Listen, Listening, Session } from './database.ts'
import { NoAnswer, NoConnection, isLost } from './faults.ts'
import { identifier } from './literals.ts'

/** Values as the server sends them, whatever the program has told `pg` to make of them. */
const AS_SENT: PostgresQuery['types'] = { getTypeParser: () => (value) => value }

/** As each statement sees what was committed before it; or all of them, what was committed before the first. */
const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE'
const BEGIN_READS = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'

/** What happens to a connection is told to whoever waits for an answer on it. */
const IGNORED = (): void => undefined

/** Pools that were seen to. */
const quiet = new WeakSet<object>()
/** The pools of the clients that they have made since. */
const made = new WeakMap<object, object>()

export function isOf(pool: object, client: object): boolean {
  return made.get(client) === pool
}

/** Has a connection of a pool that breaks while nobody waits for an answer on it, idle or just made, not end the process. */
export function keepQuiet(pool: Pick<PostgresPool, 'on'>): void {
  if (quiet.has(pool)) return
  quiet.add(pool)
  pool.on?.('error', IGNORED)
  // Before anybody can be told of a new one, its server may have said goodbye.
  pool.on?.('connect', (client) => {
    client.on('error', IGNORED)
    made.set(client, pool)
  })
}

/** A database on a server. */
export class PoolDatabase implements Database {
  readonly listen: Listen | undefined
  readonly #pool: PostgresPool
  readonly #timeoutMs: number

  constructor(pool: PostgresPool, timeoutMs: number) {
    this.#pool = pool
    this.#timeoutMs = timeoutMs
    keepQuiet(pool)
    // Who has one connection needs it for work.
    if ((pool.options?.max ?? Infinity) > 1) this.listen = (...heard) => this.#listen(...heard)
  }

  begin(reads: boolean): Session {
    return new PoolSession(() => this.#connect(), reads ? BEGIN_READS : BEGIN)
  }

  async run(statements: readonly string[]): Promise<Answer[]> {
    const connection = await this.#connect()
    try {
      const answers = await connection.run(statements)
      connection.release(true)
      return answers
    } catch (error) {
      connection.release(false)
      throw error
    }
  }

  /** A connection of the pool, in time. */
  async #connect(): Promise<PoolConnection> {
    const connecting = this.#pool.connect()
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new NoConnection(this.#timeoutMs)), this.#timeoutMs)
    })
    try {
      return new PoolConnection(await Promise.race([connecting, late]), this.#timeoutMs * 2)
    } catch (error) {
      connecting.then((client) => client.release(), IGNORED)
      throw error instanceof NoConnection ? error : new NoConnection(undefined, error)
    } finally {
      clearTimeout(timer)
    }
  }

  async #listen(channel: string, heard: (payload: string) => void, lost: () => void): Promise<Listening> {
    const connection = await this.#connect()
    const { client } = connection
    const onNotification = ({ payload }: { readonly payload?: string | undefined }): void =>
      heard(payload ?? '')
    client.on('notification', onNotification)
    client.on('error', lost)
    client.on('end', lost)
    const close = (): void => {
      client.removeListener('notification', onNotification)
      client.removeListener('error', lost)
      client.removeListener('end', lost)
      // Whoever has it next must not hear what we did.
      connection.release(false)
    }
    try {
      await connection.run([`LISTEN ${identifier(channel)}`])
    } catch (error) {
      close()
      throw error
    }
    return { close, ping: () => connection.run(['SELECT 1']) }
  }
}

/** A client of the pool, while it is ours. */
class PoolConnection {
  readonly client: PostgresClient
  readonly #answerMs: number
  #isReleased = false

  constructor(client: PostgresClient, answerMs: number) {
    this.client = client
    this.#answerMs = answerMs
    client.on('error', IGNORED)
  }

  /** Runs statements in one message; one that gets no answer in time ends the connection. */
  async run(statements: readonly string[]): Promise<Answer[]> {
    const running = this.client.query({ text: statements.join(';'), rowMode: 'array', types: AS_SENT })
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new NoAnswer(this.#answerMs)), this.#answerMs)
    })
    try {
      const results = (await Promise.race([running, late])) as { rows: Answer } | { rows: Answer }[]
      return (Array.isArray(results) ? results : [results]).map(({ rows }) => rows)
    } catch (error) {
      running.catch(IGNORED)
      if (error instanceof NoAnswer) this.release(false)
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  release(isGood: boolean): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.client.release(!isGood)
    // A connection that is ended may still complain.
    if (isGood) this.client.removeListener('error', IGNORED)
  }
}

class PoolSession implements Session {
  readonly #connect: () => Promise<PoolConnection>
  readonly #begin: string
  #connection: PoolConnection | undefined

  constructor(connect: () => Promise<PoolConnection>, begin: string) {
    this.#connect = connect
    this.#begin = begin
  }

  async run(statements: readonly string[]): Promise<Answer[]> {
    if (this.#connection !== undefined) return await this.#connection.run(statements)
    const first = [this.#begin, ...statements]
    for (let isAgain = false; ; isAgain = true) {
      this.#connection = await this.#connect()
      try {
        return (await this.#connection.run(first)).slice(1)
      } catch (error) {
        // It may have broken while it was idle: nothing was done on it.
        if (isAgain || !isLost(error)) throw error
        this.#connection.release(false)
        this.#connection = undefined
      }
    }
  }

  async commit(statements: readonly string[]): Promise<Answer[]> {
    const begin = this.#connection === undefined ? [this.#begin] : []
    const connection = (this.#connection ??= await this.#connect())
    const answers = await connection.run([...begin, ...statements, 'COMMIT'])
    connection.release(true)
    return answers.slice(begin.length)
  }

  async rollback(): Promise<void> {
    const connection = this.#connection
    if (connection === undefined) return
    try {
      await connection.run(['ROLLBACK'])
      connection.release(true)
    } catch {
      connection.release(false)
    }
  }
}
