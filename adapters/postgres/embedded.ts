import type { EmbeddedPostgres } from './client.ts'
import type { Answer, Database, Listening, Session } from './database.ts'

type Executor = Pick<EmbeddedPostgres, 'exec'>

/** A database in this process: one connection, on which everybody waits for the others. */
export class EmbeddedDatabase implements Database {
  readonly #postgres: EmbeddedPostgres

  constructor(postgres: EmbeddedPostgres) {
    this.#postgres = postgres
  }

  begin(): Session {
    return new EmbeddedSession(this.#postgres)
  }

  run(statements: readonly string[]): Promise<Answer[]> {
    return exec(this.#postgres, statements)
  }

  async listen(channel: string, heard: (payload: string) => void): Promise<Listening> {
    // It makes the name an identifier by itself.
    const unlisten = await this.#postgres.listen(`"${channel.replaceAll('"', '""')}"`, heard)
    return {
      ping: () => Promise.resolve(),
      close: () => void unlisten().catch(() => undefined),
    }
  }
}

async function exec(on: Executor, statements: readonly string[]): Promise<Answer[]> {
  const results = await on.exec(statements.join(';'), { rowMode: 'array' })
  return results.map(({ rows }) => rows as unknown[][])
}

/** Undoes a transaction, which is no failure. */
const UNDONE: unique symbol = Symbol('undone')

/** PGlite begins and ends its transactions around a function, which here waits to be told. */
class EmbeddedSession implements Session {
  readonly #postgres: EmbeddedPostgres
  #begun: Promise<Executor> | undefined
  #ended: Promise<void> | undefined
  #commit: () => void = () => undefined
  #undo: (reason: unknown) => void = () => undefined

  constructor(postgres: EmbeddedPostgres) {
    this.#postgres = postgres
  }

  async run(statements: readonly string[]): Promise<Answer[]> {
    return await exec(await this.#begin(), statements)
  }

  async commit(statements: readonly string[]): Promise<Answer[]> {
    const tx = await this.#begin()
    const answers = statements.length > 0 ? await exec(tx, statements) : []
    this.#commit()
    await this.#ended
    return answers
  }

  async rollback(): Promise<void> {
    this.#undo(UNDONE)
    await this.#ended?.catch(() => undefined)
  }

  #begin(): Promise<Executor> {
    return (this.#begun ??= new Promise((resolve, reject) => {
      this.#ended = this.#postgres.transaction(
        (tx) =>
          new Promise<void>((commit, undo) => {
            this.#commit = commit
            this.#undo = undo
            resolve(tx)
          }),
      )
      this.#ended.catch(reject)
    }))
  }
}
