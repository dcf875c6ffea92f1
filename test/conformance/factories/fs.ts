import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FsOptions, NodeFsAdapter } from '../../../adapters/fs/index.ts'
import type { ConformanceFactory } from '../../../conformance/index.ts'

/** Each storage in a temporary directory of its own. */
export function factory({ durability }: Pick<FsOptions, 'durability'>): ConformanceFactory {
  return {
    guarantees: new NodeFsAdapter('unused', { durability }).guarantees,
    async create({ clock }) {
      const directory = await mkdtemp(join(tmpdir(), 'quayside-conformance-'))
      let adapter = new NodeFsAdapter(directory, { durability, clock })
      return {
        adapter,
        async reopen() {
          await adapter.close()
          adapter = new NodeFsAdapter(directory, { durability, clock })
          return adapter
        },
        async destroy() {
          await adapter.close()
          await rm(directory, { recursive: true, force: true })
        },
      }
    },
  }
}
