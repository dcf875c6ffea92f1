import { Queue, type StorageAdapter } from 'quayside/core'
import { CloudflareKVAdapter } from 'quayside/cloudflare-kv'
import { DurableObjectAdapter } from 'quayside/durable-object'
import type { Env } from './env.ts'
import type { Form } from './form.ts'

/** Where forms are kept, by the name that stands in the paths. */
export type Kind = 'durable-object' | 'kv'

const KINDS: readonly string[] = ['durable-object', 'kv'] satisfies Kind[]
const NAME = 'forms'

const OPERATIONS = ['reads', 'writes', 'deletes', 'lists'] as const

/** What this isolate has done with KV, as it is billed. */
export const spent: Record<(typeof OPERATIONS)[number], number> = {
  reads: 0,
  writes: 0,
  deletes: 0,
  lists: 0,
}

export function isKind(name: string | undefined): name is Kind {
  return name !== undefined && KINDS.includes(name)
}

/** Opens the queue for one request. It holds nothing that outlives it. */
export async function withQueue<R>(
  env: Env,
  kind: Kind,
  use: (queue: Queue<Form>) => Promise<R>,
): Promise<R> {
  if (kind === 'durable-object') return await useQueue(inObject(env), use)
  // Forms that arrive within 10 ms share a write, which is what KV is paid for.
  const storage = new CloudflareKVAdapter(env.TASKS, { coalesceMs: 10 })
  try {
    return await useQueue(storage, use)
  } finally {
    for (const name of OPERATIONS) spent[name] += storage.operations[name]
  }
}

async function useQueue<R>(storage: StorageAdapter, use: (queue: Queue<Form>) => Promise<R>): Promise<R> {
  const queue = new Queue<Form>(NAME, { storage })
  try {
    return await use(queue)
  } finally {
    await queue.close()
  }
}

/** Answers a request for a WebSocket that is told of changes. KV cannot tell. */
export async function watch(request: Request, env: Env, kind: Kind): Promise<Response> {
  if (kind === 'kv') return new Response('Workers KV tells nobody of changes.', { status: 501 })
  return await inObject(env).fetch(request, NAME)
}

function inObject(env: Env): DurableObjectAdapter {
  return new DurableObjectAdapter(env.QUEUE)
}
