import { Pool } from 'pg'

/** Schemas to be used by one after the other: to make one takes a server longer than to empty it. */
export class Schemas {
  readonly #pool: Pool
  readonly #free: string[] = []
  #made = 0

  constructor(url: string) {
    this.#pool = new Pool({ connectionString: url, max: 4 })
    // Connections that rest are cut when the server ends, which is before whoever has these schemas does.
    this.#pool.on('error', () => undefined)
  }

  take(): string {
    return this.#free.pop() ?? `test ${++this.#made}`
  }

  async give(schema: string): Promise<void> {
    const { rows } = await this.#pool.query(`SELECT to_regclass('"${schema}".rows') AS found`)
    if ((rows as { found: unknown }[])[0]!.found === null) return
    await this.#pool.query(`DELETE FROM "${schema}".rows; DELETE FROM "${schema}".done`)
    this.#free.push(schema)
  }
}
