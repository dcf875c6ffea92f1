// As much of the peers as the benchmark uses, so that it can be checked where the dependencies of test/bench are not
// installed. `tsc -p test/bench` checks it against the peers themselves.
declare module '@platformatic/job-queue' {
  export interface Job<T> {
    payload: T
  }
  interface Storage {
    connect(): Promise<void>
  }
  export const MemoryStorage: new () => Storage
  export const FileStorage: new (options: { basePath: string }) => Storage
  export class Queue<T, R> {
    constructor(options: { storage: Storage; concurrency: number; resultTTL: number })
    execute(handler: (job: Job<T>) => Promise<R>): void
    on(event: 'completed', listener: () => void): this
    start(): Promise<void>
    stop(): Promise<void>
    enqueue(id: string, payload: T): Promise<unknown>
  }
}

declare module 'bullmq' {
  interface Options {
    connection: { host: string; port: number }
  }
  export class Queue {
    readonly name: string
    constructor(name: string, options: Options & { defaultJobOptions: { removeOnComplete: boolean } })
    add(name: string, data: unknown): Promise<unknown>
    addBulk(jobs: { name: string; data: unknown }[]): Promise<unknown>
    close(): Promise<void>
  }
  interface Job {
    data: unknown
    moveToCompleted(result: unknown, token: string, fetchNext: boolean): Promise<unknown>
  }
  export class Worker {
    constructor(
      name: string,
      handler: ((job: { data: never }) => Promise<void>) | null,
      options: Options & { concurrency?: number },
    )
    getNextJob(token: string, options: { block: boolean }): Promise<Job | undefined>
    on(event: 'completed', listener: () => void): this
    waitUntilReady(): Promise<unknown>
    close(): Promise<void>
  }
}

declare module 'fastq' {
  interface Queue<T> {
    push(task: T): void
    pause(): void
  }
  function fastq<T>(
    worker: (task: T, done: (error: Error | null) => void) => void,
    concurrency: number,
  ): Queue<T>
  namespace fastq {
    function promise<T>(
      worker: (task: T) => Promise<void>,
      concurrency: number,
    ): { push(task: T): Promise<unknown> }
  }
  export default fastq
}

declare module 'graphile-worker' {
  import type { Pool } from 'pg'
  type Logger = object
  export const Logger: new (factory: () => () => undefined) => Logger
  interface Options {
    pgPool: Pool
    logger: Logger
  }
  export interface WorkerUtils {
    migrate(): Promise<void>
    addJobs(jobs: { identifier: string; payload: unknown }[]): Promise<unknown>
    release(): unknown
  }
  export interface Runner {
    events: { on(event: 'job:complete', listener: () => void): unknown }
    stop(): Promise<void>
  }
  export function makeWorkerUtils(options: Options): Promise<WorkerUtils>
  export function run(
    options: Options & {
      concurrency: number
      noHandleSignals: boolean
      taskList: Record<string, (payload: unknown) => void>
    },
  ): Promise<Runner>
}

declare module 'pg-boss' {
  export class PgBoss {
    constructor(options: { connectionString: string; supervise: boolean; schedule: boolean })
    on(event: 'error', listener: (error: Error) => void): this
    start(): Promise<unknown>
    stop(options: { graceful: boolean }): Promise<void>
    createQueue(name: string): Promise<void>
    deleteQueue(name: string): Promise<void>
    send(name: string, data: object): Promise<string | null>
    insert(name: string, jobs: { data: object }[]): Promise<unknown>
    fetch<T>(name: string, options: { batchSize: number }): Promise<{ id: string; data: T }[]>
    complete(name: string, ids: string[]): Promise<unknown>
  }
}

declare module 'liteque' {
  interface Client {
    client: unknown
  }
  export function buildDBClient(path: string, options: { runMigrations: boolean }): Client
  export class SqliteQueue<T> {
    constructor(
      name: string,
      client: Client,
      options: { defaultJobArgs: { numRetries: number }; keepFailedJobs: boolean },
    )
    enqueue(payload: T): Promise<unknown>
    attemptDequeue(options: {
      timeoutSecs: number
    }): Promise<{ id: number; allocationId: string; payload: string } | null>
    finalize(id: number, allocationId: string, status: 'completed'): Promise<void>
  }
  export class Runner<T> {
    constructor(
      queue: SqliteQueue<T>,
      functions: { run(job: { data: T }): Promise<void> },
      options: { pollIntervalMs: number; timeoutSecs: number; concurrency: number },
    )
    run(): Promise<void>
    stop(): void
  }
}

declare module 'plainjob' {
  import type Database from 'better-sqlite3'
  interface Connection {
    filename: string
  }
  interface Logger {
    error(message: string): void
    warn(message: string): void
    info(message: string): void
    debug(message: string): void
  }
  export interface Queue {
    add(type: string, data: unknown): unknown
    addMany(type: string, data: unknown[]): unknown
    getAndMarkJobAsProcessing(type: string): { id: number } | undefined
    getJobById(id: number): { id: number; data: string } | undefined
    markJobAsDone(id: number): void
    removeDoneJobs(olderThanMs: number): void
    close(): void
  }
  export function better(database: Database): Connection
  export function defineQueue(options: { connection: Connection; logger: Logger }): Queue
  export function defineWorker(
    type: string,
    handler: (job: { data: string }) => void,
    options: { queue: Queue; logger: Logger },
  ): { start(): Promise<void>; stop(): Promise<void> }
}

declare module 'qified' {
  interface Handler {
    id: string
    handler(task: { data?: unknown }, context: { ack(): Promise<void> }): Promise<void>
  }
  export class MemoryTaskProvider {
    enqueue(queue: string, task: { data: unknown }): Promise<unknown>
    dequeue(queue: string, handler: Handler): Promise<void>
    disconnect(): Promise<void>
  }
  export class Qified {
    constructor(options: { taskProviders: MemoryTaskProvider[] })
    enqueue(queue: string, task: { data: unknown }): Promise<unknown>
    dequeue(queue: string, handler: Handler): Promise<void>
    disconnect(): Promise<void>
  }
}

declare module 'smqp' {
  interface Message {
    content: unknown
    ack(): void
  }
  export class Queue {
    constructor(name: string, options: { autoDelete: boolean })
    queueMessage(fields: object, content: unknown): unknown
    get(): Message | undefined
    consume(onMessage: (routingKey: string, message: Message) => void): unknown
  }
  export class Broker {
    assertQueue(name: string, options: { autoDelete: boolean }): Queue
  }
}
