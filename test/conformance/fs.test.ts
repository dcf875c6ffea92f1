import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FsOptions, NodeFsAdapter } from '../../adapters/fs/index.ts'
import type { ConformanceFactory } from '../../src/conformance/index.ts'
import { registerConformance, registerHistories } from './register.ts'

function inDirectories(durability: NonNullable<FsOptions['durability']>): ConformanceFactory {
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

const os = inDirectories('os')
const fsync = inDirectories('fsync')

registerConformance('fs with os', os)
registerConformance('fs with fsync', fsync)
registerHistories('fs with os', os, { runs: 2000, maxSteps: 20, lanes: 4 })
registerHistories('fs with fsync', fsync, { runs: 200, maxSteps: 20, lanes: 4 })
