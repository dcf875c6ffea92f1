import { QuaysideError } from '../../src/errors.ts'
import type { Guarantees, QueueStorage } from '../../src/storage.ts'
import { GUARANTEES } from './guarantees.ts'
import { textOfHint } from './hint-text.ts'
import { ShardedView } from './sharded-view.ts'
import { MAX_SHARDS, nameOfShard } from './shards.ts'
import { upgrade } from './web-socket.ts'

/** Several objects for a queue, as {@link inShards} makes them. */
export interface Shards {
  readonly guarantees: Guarantees
  /** Opens a queue. @param objectOf Opens an object of this name. */
  open(queue: string, objectOf: (name: string) => QueueStorage, onClose: () => void): QueueStorage
  /** Answers a request for a WebSocket, which tells what `view` hears. */
  watch(request: Request, view: QueueStorage): Response
}

/**
 * Spreads each queue over so many objects, 1 to 256: for {@link DurableObjectOptions.shards}. `inShards(1)` is one object, as without.
 *
 * ```ts
 * const storage = new DurableObjectAdapter(env.QUEUE, { shards: inShards(4) })
 * ```
 *
 * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
 */
export function inShards(count: number): Shards | undefined {
  if (!Number.isInteger(count) || count < 1 || count > MAX_SHARDS)
    throw new QuaysideError(
      'INVALID_ARGUMENT',
      `inShards: count must be a whole number, 1 to ${MAX_SHARDS}, not ${JSON.stringify(count)}`,
    )
  if (count === 1) return undefined
  return {
    // Nobody counts across objects while a message is stored in one of them.
    guarantees: { ...GUARANTEES, fifo: false, idsWithKeys: false, queueLimits: false },

    open(queue, objectOf, onClose) {
      const objects = Array.from({ length: count }, (_, shard) => objectOf(nameOfShard(queue, shard)))
      return new ShardedView(objects, onClose)
    },

    watch: (request, view) =>
      upgrade(request, (socket) => {
        socket.accept()
        view.watch!((hint) => socket.send(textOfHint(hint)))
        const end = (): void => void view.close()
        socket.addEventListener('close', end)
        socket.addEventListener('error', end)
      }),
  }
}
