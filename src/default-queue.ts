import { SYSTEM_CLOCK } from './clock.ts'
import { MemoryAdapter } from './records/index.ts'
import { Queue as CoreQueue, type QueueOptions as CoreOptions } from './core/index.ts'
import type { StorageAdapter } from './storage.ts'

/** What a queue is made of. */
export interface QueueOptions<T> extends Omit<CoreOptions<T>, 'storage'> {
  /** Where the messages are kept. @defaultValue a `MemoryAdapter` of its own: nothing survives this object */
  readonly storage?: StorageAdapter | undefined
}

/**
 * A durable queue of messages with payloads of type `T`.
 *
 * Making one does nothing yet: the storage is opened when it is first needed.
 *
 * ```ts
 * import { Queue } from 'quayside'
 * import { NodeFsAdapter } from 'quayside/fs'
 *
 * await using queue = new Queue<{ total: number }>('orders', { storage: new NodeFsAdapter('./data') })
 * await queue.createProducer().send({ total: 42 })
 * ```
 */
export class Queue<T = unknown> extends CoreQueue<T> {
  /**
   * @param name 1 to 256 bytes of UTF-8. Together with the storage it says which queue this is.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `TOO_LARGE`.
   */
  constructor(name: string, options: QueueOptions<T> = {}) {
    super(name, withStorage(options))
  }
}

/** What are no options at all stays as it is, to be refused where all options are checked. */
function withStorage<T>(options: QueueOptions<T>): CoreOptions<T> {
  const isObject = typeof options === 'object' && options !== null && !Array.isArray(options)
  if (!isObject || options.storage !== undefined) return options as CoreOptions<T>
  return { ...options, storage: new MemoryAdapter({ clock: options.clock ?? SYSTEM_CLOCK }) }
}
