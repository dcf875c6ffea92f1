import { cpus, totalmem } from 'node:os'
import type { Options } from './harness.ts'
import type { Conditions } from './report/model.ts'

/** What the figures depend on, of this machine and this run. */
export function conditions({ slices, sliceMs }: Options): Conditions {
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: (cpus()[0]?.model ?? 'unknown processor').replaceAll(/\s+/g, ' ').trim(),
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 1e9),
    system: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    slices,
    sliceMs,
  }
}
