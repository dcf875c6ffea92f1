import { startWorker } from '../../durable-object/support/workerd.ts'
import { print } from '../record.ts'
import type { Actions, Where } from './queue-worker.ts'

/** Calls an action of the Worker. */
export type Call = <A extends keyof Actions>(
  action: A,
  where: Where,
  ...told: Parameters<Actions[A]> extends [unknown, infer T] ? [T] : []
) => ReturnType<Actions[A]>

/**
 * Runs work that may call the Worker of queue-worker.ts, in a workerd of its own. Where that does not start, the report says
 * so and the work is left out.
 *
 * @param parent Where its data lies: on the disk, each verb of a Durable Object waits until it is flushed.
 */
export async function inWorkerd<R>(parent: string, work: (call: Call) => Promise<R>): Promise<R | undefined> {
  let worker: Awaited<ReturnType<typeof startWorker>>
  try {
    worker = await startWorker(
      'test/bench/edge/queue-worker.ts',
      { QUEUE: 'QueueObject', PUSHED: 'PushedObject' },
      parent,
      { KV: { type: 'kv', id: 'KV' } },
    )
    await worker.miniflare.ready
  } catch (error) {
    print(`The part in workerd did not run: ${(error as Error).message.split('\n')[0]}`)
    return undefined
  }
  try {
    return await work(
      (action, where, ...told) =>
        worker.call(action, { ...where, ...(told[0] as object | undefined) }) as never,
    )
  } finally {
    await worker.close()
  }
}
