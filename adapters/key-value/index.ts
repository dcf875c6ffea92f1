/**
 * `quayside/key-value`: queues in storages of strings, as apps have them: React Native, Expo, Capacitor.
 *
 * @module
 */
import { QuaysideError } from '../../src/errors.ts'
import { SEGMENT_GUARANTEES, SegmentAdapter } from '../../src/segments/index.ts'
import type { Guarantees } from '../../src/storage.ts'
import type { KeyValueStorage } from './storage.ts'
import { KeyValueStore } from './store.ts'

export type { KeyValueStorage } from './storage.ts'

/** How queues lie in a store of keys and values. */
export interface KeyValueOptions {
  /**
   * What the keys of all items begin with: 1 to 64 letters, digits, `-` and `_`. Two adapters that are to have queues of their
   * own in one storage have two names.
   *
   * @defaultValue `'quayside'`
   */
  readonly name?: string | undefined
  /** Where the storage reads the time, in ms since 1970. @defaultValue `Date` */
  readonly clock?: { now(): number } | undefined
}

const GUARANTEES: Guarantees = {
  ...SEGMENT_GUARANTEES,
  name: 'key-value',
  durability: 'process',
  sharedBy: 'instance',
  leasesSurviveReopen: false,
  maxBodyBytes: 1024 * 1024,
  maxHeaderBytes: 64 * 1024,
  maxBatch: 10_000,
  maxBatchBytes: 4 * 1024 * 1024,
}

/**
 * Keeps queues in a storage of strings. All that lives in them is in memory as well; each commit writes one item, and takes the
 * place of old ones bit by bit, so that the items are about two to three times as long as what lives.
 *
 * One adapter at a time has the items of a name. The last one that was made and used takes them over, as a reloaded app does
 * from what was there before; the one before it rejects with `LOCKED` from then on.
 *
 * ```ts
 * import AsyncStorage from '@react-native-async-storage/async-storage'
 *
 * const storage = new KeyValueAdapter(AsyncStorage)
 * const queue = new Queue('orders', { storage })
 * ```
 */
export class KeyValueAdapter extends SegmentAdapter {
  /**
   * @param storage Where the items go: anything with `getItem`, `setItem` and `removeItem`, which answer at once or with
   * promises.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`. What is wrong with the storage itself is told by the first use:
   * `CORRUPT`, `QUOTA_EXCEEDED`, `STORAGE_UNAVAILABLE`.
   */
  constructor(storage: KeyValueStorage, options: KeyValueOptions = {}) {
    check(storage, options)
    const { name = 'quayside', clock = Date } = options
    let store: KeyValueStore | undefined
    super(GUARANTEES, async () => {
      // Two that take it from each other in turn would have their messages sent twice all the time.
      if (store?.failure?.code === 'LOCKED') throw store.failure
      return (store = await KeyValueStore.open(name, storage, clock))
    })
  }
}

const METHODS = ['getItem', 'setItem', 'removeItem'] as const

function check(storage: KeyValueStorage, options: KeyValueOptions): void {
  const tried = 'new KeyValueAdapter'
  for (const method of METHODS)
    if (typeof (storage as Partial<KeyValueStorage> | null | undefined)?.[method] !== 'function')
      throw new QuaysideError(
        'INVALID_ARGUMENT',
        `${tried}: storage must have the functions ${METHODS.join(', ')}, and has no ${method}`,
      )
  for (const option of Object.keys(options))
    if (option !== 'name' && option !== 'clock')
      throw new QuaysideError(
        'INVALID_ARGUMENT',
        `${tried}: options are name, clock, not ${JSON.stringify(option)}`,
      )
  const { name = 'quayside' } = options
  if (typeof name !== 'string' || !/^[\w-]{1,64}$/.test(name))
    throw new QuaysideError(
      'INVALID_ARGUMENT',
      `${tried}: name must be 1 to 64 letters, digits, - and _, not ${JSON.stringify(name)}`,
    )
}
