import type { FileSystem } from '../../../adapters/fs/file-system.ts'
import { openJournalStore } from '../../../adapters/fs/store.ts'
import { SEGMENT_GUARANTEES, SegmentAdapter } from '../../../src/segments/engine.ts'
import { pick } from '../../fs/history.ts'
import { MemoryDisk, systemError } from '../../fs/memory-disk.ts'
import { Failures, type FaultyBackend, type FaultyStorage } from './backend.ts'

/**
 * What happens to a call of the file system: it fails with a code; a write stops in the middle; a sync fails and forgets
 * what it should have written; the process is killed, or the machine loses its power.
 */
const KINDS = ['EIO', 'ENOSPC', 'ENOSPC', 'EMFILE', 'short', 'lost', 'kill', 'power cut'] as const

const ASYNCHRONOUS = ['dataSync', 'syncDirectory', 'readAhead']

/** The fs adapter on a disk in memory that can lose its power. */
export const FS: FaultyStorage = {
  name: 'fs',
  create: (clock, random) => Promise.resolve(new FaultyFs(clock, random)),
}

class FaultyFs implements FaultyBackend {
  readonly #failures = new Failures()
  readonly #clock: { now(): number }
  readonly #random: () => number
  #disk = new MemoryDisk()
  #adapter: SegmentAdapter | undefined
  /** How the process that had it open ended, if it is not there any more. */
  #end: 'kill' | 'power cut' | undefined

  constructor(clock: { now(): number }, random: () => number) {
    this.#clock = clock
    this.#random = random
  }

  get faults(): number {
    return this.#failures.faults
  }

  get isDead(): boolean {
    return this.#end !== undefined
  }

  fail(every: number): void {
    this.#failures.fail(every)
  }

  async open(): Promise<SegmentAdapter> {
    if (this.#end === undefined) await this.#adapter?.close().catch(() => undefined)
    else void this.#adapter?.close().catch(() => undefined)
    this.#disk = this.#end === 'power cut' ? this.#disk.afterPowerCut(this.#random) : this.#disk.afterKill()
    this.#end = undefined
    const fileSystem = this.#watched(this.#disk)
    return (this.#adapter = openJournal('/data', fileSystem, this.#clock))
  }

  #watched(disk: MemoryDisk): FileSystem {
    let full = false
    const act = (name: string, call: () => unknown, half: () => unknown, args: unknown[]): unknown => {
      // Whoever still has this disk open is no more.
      if (this.#end !== undefined || this.#disk !== disk) throw systemError('EIO', name)
      if (full && name === 'write') {
        full = false
        throw systemError('ENOSPC', name)
      }
      if (!this.#failures.next()) return call()
      const kind = pick(this.#random, KINDS)
      if (kind === 'kill' || kind === 'power cut') this.#end = kind
      else if (kind === 'lost' && name === 'dataSync') disk.forget(args[0] as number)
      else if (kind === 'short' && name === 'write' && (args[3] as number) > 1) {
        full = true
        return half()
      } else if (kind !== 'lost' && kind !== 'short') throw systemError(kind, name)
      throw systemError('EIO', name)
    }
    return new Proxy(disk, {
      get(_, name: keyof FileSystem) {
        return (...args: unknown[]) => {
          const call = (...changed: unknown[]): unknown =>
            (disk[name] as (...args: unknown[]) => unknown)(...changed)
          const half = (): unknown => call(args[0], args[1], args[2], (args[3] as number) >> 1, args[4])
          const run = (): unknown => act(name, () => call(...args), half, args)
          return ASYNCHRONOUS.includes(name) ? new Promise((resolve) => resolve(run())) : run()
        }
      },
    })
  }

  async destroy(): Promise<void> {
    this.#failures.fail(0)
    await this.#adapter?.close().catch(() => undefined)
  }
}

/** With strict acks: others may be undone by a power cut. Files are small, so that they are begun and cleaned often. */
export function openJournal(
  directory: string,
  fileSystem: FileSystem,
  clock: { now(): number },
): SegmentAdapter {
  return new SegmentAdapter(
    {
      ...SEGMENT_GUARANTEES,
      name: 'fs',
      durability: 'disk',
      sharedBy: 'process',
      leasesSurviveReopen: false,
      maxBodyBytes: 1024,
      maxHeaderBytes: 1024,
      maxBatch: 1000,
      maxBatchBytes: Infinity,
    },
    () => openJournalStore(directory, { fileSystem, clock, strictAcks: true, maxFileBytes: 3000 }),
  )
}
