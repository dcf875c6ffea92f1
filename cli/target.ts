import type { QueueStorage, StorageAdapter } from '../src/storage.ts'
import { FAILED, Stop, USAGE } from './exit.ts'
import { clean } from './width.ts'

/** Where queues are. */
export interface Target {
  /** As it was named. */
  readonly name: string
  readonly adapter: StorageAdapter
  /** The names of its queues. */
  names(): Promise<string[]>
  close(): Promise<void>
}

/** `read` disturbs nobody; `change` needs queues to be there; `create` makes what is not. */
export type Purpose = 'read' | 'change' | 'create'

/** The name of the one queue that is meant. */
export async function theQueue(target: Target, named: string | undefined): Promise<string> {
  const names = await target.names()
  if (named !== undefined && names.includes(named)) return named
  if (named === undefined && names.length === 1) return names[0]!
  const there = names.length === 0 ? 'it has none' : `it has ${names.map(clean).join(', ')}`
  const problem =
    named === undefined
      ? `which queue of ${clean(target.name)}?`
      : `there is no queue ${clean(named)} in ${clean(target.name)}:`
  throw new Stop(named === undefined ? USAGE : FAILED, `${problem} ${there}`)
}

/** The name of the one group that is meant. */
export async function theGroup(queue: QueueStorage, named: string | undefined): Promise<string> {
  const names = Object.keys((await queue.stats()).groups)
  if (named !== undefined && names.includes(named)) return named
  if (named === undefined && names.length === 1) return names[0]!
  // One that is not there yet is shown as it would start.
  if (named === undefined && names.length === 0) return 'default'
  const there =
    names.length === 0 ? 'no group has received from it yet' : `it has ${names.map(clean).join(', ')}`
  const problem =
    named === undefined ? 'which group? Add --group:' : `the queue has no group ${clean(named)}:`
  throw new Stop(named === undefined ? USAGE : FAILED, `${problem} ${there}`)
}
