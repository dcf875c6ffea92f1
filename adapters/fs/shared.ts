import { statSync } from 'node:fs'
import { resolve as absolute } from 'node:path'
import { QuaysideError } from '../../src/errors.ts'
import type { Kind, QueueStore, Transaction, TransactionalStore } from '../../src/segments/index.ts'
import { explainOpening, makeDirectory } from './directory.ts'
import { codeOf } from './faults.ts'
import { fileSystemWithMode, PRIVATE } from './file-system.ts'
import { WAIT_FOR_LOCK_MS } from './lock.ts'
import type { FsEvent, JournalStoreOptions } from './options.ts'
import { openJournalStore } from './store.ts'

/**
 * One journal for all adapters of a thread on one directory, whatever they call it, and whichever copy of this module
 * made them: a program that is bundled in layers (Next.js) or replaces modules while it runs has several.
 *
 * So the registry is at a global symbol, and it is a contract between copies of different versions: whoever changes its
 * types, those of contract 2 or the engine's rows changes {@link REGISTRY}. Copies that disagree do not see each other, and
 * one of them gets `LOCKED`.
 */
const REGISTRY: unique symbol = Symbol.for('quayside.fs.1')

/** By device and inode, which symbolic links and mounts do not change. */
type Registry = Map<string, Shared>

interface Shared {
  readonly agreed: Agreed
  readonly opening: Promise<SharedStore>
  readonly listeners: Set<(event: FsEvent) => void>
  /** How many handles have each queue open. */
  readonly queues: Map<string, number>
  handles: number
  /** Set once nobody can join any more; settled when the directory is free. */
  closing: Promise<void> | undefined
}

interface SharedStore extends TransactionalStore {
  /** Why nothing can be done with it any more, if that is so. */
  readonly failure: QuaysideError | undefined
}

/** What all who share a journal must want alike. */
interface Agreed {
  readonly durability: 'fsync' | 'os'
  readonly strictAcks: boolean
  readonly mode: number
  readonly clock: { now(): number } | undefined
}

function registry(): Registry {
  const place = globalThis as { [REGISTRY]?: Registry }
  return (place[REGISTRY] ??= new Map())
}

/**
 * Opens the journal in a directory, or joins those in this thread who have it open. It is closed when the last of them
 * closes.
 *
 * @throws QuaysideError as {@link openJournalStore}; `INVALID_ARGUMENT` if others have it open with other options.
 */
export async function shareJournal(
  directory: string,
  asked: JournalStoreOptions = {},
): Promise<TransactionalStore> {
  const { onEvent } = asked
  // A function of its own, so that the same one can be told by two.
  const options = onEvent === undefined ? asked : { ...asked, onEvent: (event: FsEvent) => onEvent(event) }
  const path = absolute(directory)
  const started = performance.now()
  for (;;) {
    const key = await identify(path, options)
    const shared = registry().get(key)
    if (shared === undefined) return await open(key, path, options)
    if (shared.closing !== undefined) {
      await shared.closing.catch(() => undefined)
      continue
    }
    checkAgreed(path, shared.agreed, agreedOf(options))
    const isOver = performance.now() - started >= (options.waitForLockMs ?? WAIT_FOR_LOCK_MS)
    const store = await join(shared, options.onEvent, isOver)
    if (store === undefined) continue
    if (store.failure === undefined) return new Handle(key, shared, store, options)
    await retire(key, shared, store)
  }
}

/** What tells a directory from all others. Makes it if it is not there. */
async function identify(path: string, { mode }: JournalStoreOptions): Promise<string> {
  try {
    await makeDirectory(fileSystemWithMode(mode), path)
    const { dev, ino } = statSync(path, { bigint: true })
    return `${dev}:${ino}`
  } catch (error) {
    throw explainOpening(path, error)
  }
}

async function open(key: string, path: string, options: JournalStoreOptions): Promise<Handle> {
  const listeners = new Set(options.onEvent === undefined ? [] : [options.onEvent])
  const onEvent = (event: FsEvent): void => {
    for (const listener of listeners) listener(event)
  }
  const shared: Shared = {
    agreed: agreedOf(options),
    opening: openJournalStore(path, { ...options, onEvent }),
    listeners,
    queues: new Map(),
    handles: 1,
    closing: undefined,
  }
  registry().set(key, shared)
  try {
    return new Handle(key, shared, await shared.opening, options)
  } catch (error) {
    forget(key, shared)
    throw error
  }
}

/** Waits for somebody else's opening. Answers with nothing if that failed for reasons that are not ours. */
async function join(
  shared: Shared,
  onEvent: ((event: FsEvent) => void) | undefined,
  isOver: boolean,
): Promise<SharedStore | undefined> {
  shared.handles++
  if (onEvent !== undefined) shared.listeners.add(onEvent)
  try {
    return await shared.opening
  } catch (error) {
    if (codeOf(error) !== 'CLOSED' && (codeOf(error) !== 'LOCKED' || isOver)) throw error
    return undefined
  }
}

/** Closes a journal that has failed, so that it can be opened again. Those who still have it are told that it failed. */
async function retire(key: string, shared: Shared, store: SharedStore): Promise<void> {
  shared.closing ??= store.close().finally(() => forget(key, shared))
  await shared.closing.catch(() => undefined)
}

function forget(key: string, shared: Shared): void {
  if (registry().get(key) === shared) registry().delete(key)
}

/** What one adapter has of a journal. */
class Handle implements TransactionalStore {
  readonly queues?: () => Promise<string[]>
  readonly #key: string
  readonly #shared: Shared
  readonly #store: SharedStore
  readonly #onEvent: ((event: FsEvent) => void) | undefined
  readonly #opened: Map<string, QueueStore> = new Map()
  readonly #watches: Set<() => void> = new Set()
  #underWay = 0
  #onIdle: () => void = () => {}
  #closed: Promise<void> | undefined

  constructor(key: string, shared: Shared, store: SharedStore, { onEvent }: JournalStoreOptions) {
    this.#key = key
    this.#shared = shared
    this.#store = store
    this.#onEvent = onEvent
    if (store.queues !== undefined) this.queues = () => this.#run(() => store.queues!())
  }

  async open(queue: string): Promise<QueueStore> {
    const rows = await this.#run(() => this.#store.open(queue))
    const { queues } = this.#shared
    const others = queues.get(queue) ?? 0
    if (!this.#opened.has(queue)) queues.set(queue, others + 1)
    this.#opened.set(queue, rows)
    return {
      ...rows,
      transact: <T>(kind: Kind, body: (tx: Transaction) => T) => this.#run(() => rows.transact(kind, body)),
      // Leases of those who are here already go on.
      soleOwner: rows.soleOwner && others === 0,
      watch: (listener) => {
        const stop = rows.watch?.(listener) ?? (() => undefined)
        this.#watches.add(stop)
        return () => {
          this.#watches.delete(stop)
          stop()
        }
      },
      close: () => this.#leave(queue),
    }
  }

  get failure(): QuaysideError | undefined {
    return this.#store.failure
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
    const shared = this.#shared
    for (const stop of this.#watches) stop()
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve))
    if (this.#onEvent !== undefined) shared.listeners.delete(this.#onEvent)
    for (const queue of this.#opened.keys()) this.#leave(queue)
    if (--shared.handles > 0 || shared.closing !== undefined) return
    shared.closing = this.#store.close().finally(() => forget(this.#key, shared))
    await shared.closing
  }

  #leave(queue: string): void {
    const rows = this.#opened.get(queue)
    if (rows === undefined) return
    this.#opened.delete(queue)
    const { queues } = this.#shared
    const left = queues.get(queue)! - 1
    if (left > 0) queues.set(queue, left)
    else {
      queues.delete(queue)
      rows.close?.()
    }
  }

  async #run<T>(verb: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) throw new QuaysideError('CLOSED', 'The storage was closed')
    // It was closed under us because it had failed.
    if (this.#shared.closing !== undefined && this.#store.failure !== undefined) throw this.#store.failure
    this.#underWay++
    try {
      return await verb()
    } finally {
      if (--this.#underWay === 0) this.#onIdle()
    }
  }
}

function agreedOf({
  durability = 'fsync',
  strictAcks = false,
  mode = PRIVATE,
  clock,
}: JournalStoreOptions): Agreed {
  return { durability, strictAcks, mode, clock }
}

function checkAgreed(path: string, theirs: Agreed, ours: Agreed): void {
  for (const name of ['durability', 'strictAcks', 'mode', 'clock'] as const) {
    if (ours[name] === theirs[name]) continue
    const what = name === 'clock' ? 'another clock' : `${name} ${show(theirs[name])}, not ${show(ours[name])}`
    throw new QuaysideError(
      'INVALID_ARGUMENT',
      `${path} is open in this process with ${what}: give all adapters of a directory the same durability, strictAcks, ` +
        'mode and clock, or close the others first',
    )
  }
}

function show(value: unknown): string {
  return typeof value === 'number' ? `0o${value.toString(8)}` : JSON.stringify(value)
}
