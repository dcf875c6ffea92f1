import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { salvageOn } from '../../adapters/fs/salvage.ts'
import { openJournalStore } from '../../adapters/fs/store.ts'
import type { ConformanceFactory } from '../../conformance/index.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import { type StoreLimits, DEFAULT_LIMITS } from '../../src/segments/store.ts'
import { limited } from '../segments/small-steps.ts'
import { MemoryDisk } from '../fs/memory-disk.ts'
import { registerConformance, registerHistories } from './register.ts'

/** Some bodies are long. */
const LONG_BODIES: StoreLimits = { ...DEFAULT_LIMITS, bodyBytes: 2 }

/** A sound journal that is salvaged must be the same: each reopening is of a salvaged copy. */
const salvaged: ConformanceFactory = {
  guarantees: new NodeFsAdapter('unused').guarantees,
  async create({ clock }) {
    const disk = new MemoryDisk()
    let copies = 0
    const open = (): SegmentAdapter =>
      new SegmentAdapter(this.guarantees, async () =>
        limited(
          await openJournalStore(`/copy-${copies}`, { fileSystem: disk, clock, maxFileBytes: 5000 }),
          LONG_BODIES,
        ),
      )
    let adapter = open()
    return {
      adapter,
      async reopen() {
        await adapter.close()
        if (disk.list(`/copy-${copies}`).some((name) => name.endsWith('.qsj')))
          await salvageOn(disk, `/copy-${copies}`, `/copy-${++copies}`)
        adapter = open()
        return adapter
      },
      destroy: () => adapter.close(),
    }
  },
}

registerConformance('fs, salvaged at each reopening', salvaged, { quick: 'core' })
registerHistories('fs, salvaged at each reopening', salvaged, { runs: { quick: 40, full: 500 }, lanes: 2 })
