import { QueueObject } from '../../../adapters/durable-object/index.ts'

interface Cursor {
  readonly rowsWritten: number
}
type Exec = (query: string, ...bindings: unknown[]) => Cursor & { raw(): Iterable<unknown[]> }

/** What happens at a call of the storage. */
export interface Fault {
  /** The number of the call, from 1. */
  readonly at: number
  /** `throw`: the call fails. `abort`: the object ends at once, and what it has not committed is gone. */
  readonly kind: 'throw' | 'abort'
}

/** A queue's object that counts what it does to its storage, and fails at it on demand. */
export class SpiedObject<T = unknown> extends QueueObject<unknown, T> {
  #rows = 0
  #alarms = 0
  #calls = 0
  #fault: Fault | undefined

  constructor(...args: ConstructorParameters<typeof QueueObject>) {
    super(...args)
    const { storage } = this.ctx
    const sql = storage.sql as unknown as { exec: Exec }
    const exec = sql.exec.bind(sql)
    const spied: Exec = (...call) => {
      this.#count()
      const cursor = exec(...call)
      this.#rows += cursor.rowsWritten
      return cursor
    }
    Object.defineProperty(sql, 'exec', { value: spied })
    const { setAlarm } = storage
    const spiedAlarm = (time: number): Promise<void> => {
      this.#count()
      this.#alarms++
      return setAlarm.call(storage, time)
    }
    Object.defineProperty(storage, 'setAlarm', { value: spiedAlarm })
  }

  #count(): void {
    this.#calls++
    if (this.#fault?.at !== this.#calls) return
    if (this.#fault.kind === 'abort') this.kill()
    throw new Error('a fault of the test')
  }

  /** Starts to count calls anew. */
  fault(fault?: Fault): void {
    this.#calls = 0
    this.#fault = fault
  }

  /** Ends this object at once; the next call finds another on the same data. */
  kill(): void {
    ;(this.ctx as unknown as { abort(reason: string): void }).abort('killed by the test')
  }

  /** Since the object is in memory. An alarm that is set is billed as a row. */
  written(): { rows: number; alarms: number } {
    return { rows: this.#rows, alarms: this.#alarms }
  }

  /** All there is. */
  dump(): string {
    const { sql } = this.ctx.storage
    const tables = [
      ...sql
        .exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'quayside_%' ORDER BY name")
        .raw(),
    ]
    return JSON.stringify(
      tables.map(([name]) => [
        name,
        [...sql.exec(`SELECT * FROM ${String(name)}`).raw()].map((row) =>
          row.map((value: unknown) =>
            value instanceof ArrayBuffer ? [...new Uint8Array(value)].join(' ') : value,
          ),
        ),
      ]),
    )
  }

  size(): number {
    return this.ctx.storage.sql.databaseSize
  }

  alarmAt(): Promise<number | null> {
    return this.ctx.storage.getAlarm()
  }
}

/** A binding of such objects. */
export interface SpiedNamespace {
  idFromName(name: string): object
  get(id: never): Remote<SpiedObject> & { fetch(request: Request): Promise<Response> }
}

type Remote<O> = {
  [M in Exclude<keyof O, 'fetch'>]: O[M] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never
}

export function stubOf(namespace: SpiedNamespace, name: string): ReturnType<SpiedNamespace['get']> {
  return namespace.get(namespace.idFromName(name) as never)
}
