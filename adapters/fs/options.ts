import type { QuaysideError } from '../../src/errors.ts'
import type { FileSystem } from './file-system.ts'
import type { Time } from './lock.ts'

/** Something that happened in a journal and is no error of any call. */
export type FsEvent =
  /**
   * On opening, the journal ended with bytes that are no whole frame: what was being written when the process or the
   * machine died. Nothing of it had been acknowledged. They were cut off.
   */
  | { readonly type: 'torn-tail'; readonly file: string; readonly offset: number; readonly bytes: number }
  /** There is no room left: appends are refused until there is, the rest goes on in the space that was kept back. */
  | { readonly type: 'full'; readonly directory: string }
  /** There is room again. */
  | { readonly type: 'room'; readonly directory: string }
  /** The journal works but does not become smaller any more, because its oldest file cannot be read. */
  | { readonly type: 'cleaning-failed'; readonly error: QuaysideError }

export interface JournalStoreOptions {
  /**
   * What a commit waits for: `'fsync'`, for the disk, so that it survives a power cut; `'os'`, for the operating system,
   * so that it survives the end of the process.
   *
   * @defaultValue `'fsync'`
   */
  readonly durability?: 'fsync' | 'os' | undefined
  /**
   * Whether claims and settlements wait as appends do. Without it a power cut may bring messages back that were acked a
   * moment before.
   *
   * @defaultValue `false`
   */
  readonly strictAcks?: boolean | undefined
  /**
   * How many bytes of message bodies may stay in memory. The rest is read when it is needed.
   *
   * @defaultValue 2 MB
   */
  readonly cacheBytes?: number | undefined
  /**
   * Only looks: takes no lock, writes nothing, and so may read a directory that another process owns and goes on using. What
   * it answers is what was written up to the call. Verbs that would change something reject with `UNSUPPORTED`.
   *
   * @defaultValue `false`
   */
  readonly readOnly?: boolean | undefined
  /**
   * How long the first use waits, in ms, for a directory that another process owns, before it rejects with `LOCKED`: for
   * the old one to stop when the new one of a rolling restart has started. An owner that was killed is found dead at once
   * by whoever can see its process, and otherwise (another container, machine or boot) within 10 s.
   *
   * @defaultValue 15 000
   */
  readonly waitForLockMs?: number | undefined
  /**
   * The permissions of the files that are created; those of a directory are the same, and it can be entered by whoever may
   * read. As always, the umask takes away from that. What is there already stays as it is.
   *
   * @defaultValue `0o600`: for the user of this process alone
   */
  readonly mode?: number | undefined
  /** @defaultValue `Date` */
  readonly clock?: { now(): number } | undefined
  /** Told what happened; must not throw. */
  readonly onEvent?: ((event: FsEvent) => void) | undefined
  /** Ends the waiting for the lock. */
  readonly signal?: AbortSignal | undefined
  /** What the lock is judged by. @defaultValue that of the machine, which never jumps */
  readonly time?: Time | undefined
  /** @defaultValue `node:fs` */
  readonly fileSystem?: FileSystem | undefined
  /**
   * How large a file of the journal becomes before the next one is begun, at most.
   *
   * @defaultValue 64 MB, less while little is stored
   */
  readonly maxFileBytes?: number | undefined
}
