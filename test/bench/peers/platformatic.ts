import { FileStorage, type Job, MemoryStorage, Queue } from '@platformatic/job-queue'
import type { Order } from '../payload.ts'

/** @platformatic/job-queue with a handler, or without one to let jobs wait. Each job needs an id of its own. */
export async function startPlatformatic(
  where: { folder?: string; concurrency: number },
  handler?: (payload: Order) => void,
  completed?: () => void,
): Promise<{ send(payload: Order): Promise<unknown>; close(): Promise<void> }> {
  const storage =
    where.folder === undefined ? new MemoryStorage() : new FileStorage({ basePath: where.folder })
  const queue = new Queue<Order, null>({ storage, concurrency: where.concurrency, resultTTL: 1 })
  if (handler) {
    queue.execute(async (job: Job<Order>) => {
      handler(job.payload)
      return null
    })
  }
  if (completed) queue.on('completed', completed)
  await queue.start()
  return {
    send: (payload) => queue.enqueue(`job-${payload.order}`, payload),
    close: () => queue.stop(),
  }
}
