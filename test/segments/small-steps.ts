import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { openJournalStore } from '../../adapters/fs/store.ts'
import type { ConformanceFactory } from '../../conformance/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { memoryStore } from '../support/memory-store.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import { type StoreLimits, type TransactionalStore, DEFAULT_LIMITS } from '../../src/segments/store.ts'
import { MemoryDisk } from '../fs/memory-disk.ts'

/** So little that histories of some messages reach every bound. */
export const SMALL_STEPS: StoreLimits = {
  ...DEFAULT_LIMITS,
  segmentMessages: 3,
  bodyBytes: 2,
  stepMessages: 2,
  leases: 2,
  pinnedMessages: 2,
}

/** A store with limits of its own. */
export function limited(store: TransactionalStore, limits: StoreLimits = SMALL_STEPS): TransactionalStore {
  return {
    async open(name) {
      const rows = await store.open(name)
      return {
        transact: (kind, body) => rows.transact(kind, body),
        now: () => rows.now(),
        soleOwner: rows.soleOwner,
        limits,
        watch: (listener) => rows.watch!(listener),
      }
    },
    queues: () => store.queues!(),
    close: () => store.close(),
  }
}

/** So small that a message ends the answer, and all that segments and answers have in megabytes is reached by some. */
const SMALL_ANSWERS: StoreLimits = {
  ...DEFAULT_LIMITS,
  segmentMessages: 2,
  segmentBytes: 8,
  bodyBytes: 0,
  answerBytes: 4,
}

function memoryWith(limits: StoreLimits): ConformanceFactory {
  return {
    guarantees: new MemoryAdapter().guarantees,
    async create({ clock }) {
      const store = limited(await memoryStore(clock)(), limits)
      const adapter = new SegmentAdapter(this.guarantees, async () => store)
      return { adapter, destroy: () => adapter.close() }
    },
  }
}

/** As memory, with small steps. */
export const smallSteps: ConformanceFactory = memoryWith(SMALL_STEPS)

/** As memory, with small answers. */
export const smallAnswers: ConformanceFactory = memoryWith(SMALL_ANSWERS)

/** As fs, with small steps, small files, and a disk in memory. */
export const smallStepsOnDisk: ConformanceFactory = {
  guarantees: new NodeFsAdapter('unused').guarantees,
  async create({ clock }) {
    const disk = new MemoryDisk()
    const open = (): SegmentAdapter =>
      new SegmentAdapter(this.guarantees, async () =>
        limited(await openJournalStore('/small', { fileSystem: disk, clock, maxFileBytes: 5000 })),
      )
    let adapter = open()
    return {
      adapter,
      async reopen() {
        await adapter.close()
        adapter = open()
        return adapter
      },
      destroy: () => adapter.close(),
    }
  },
}
