import { browsers } from './browsers.ts'
import { edgeVm, workerd } from './edge.ts'
import { bun, deno, node24, otherNode } from './processes.ts'
import type { Runtime } from './runtime.ts'

const other = otherNode()

/** What cannot be tested on this machine, if anything. */
export const note: string | undefined = typeof other === 'string' ? other : undefined

export const ROWS: readonly Runtime[] = [
  ...(typeof other === 'string' ? [] : [other]),
  node24,
  bun,
  deno,
  workerd,
  edgeVm,
  ...browsers,
]
