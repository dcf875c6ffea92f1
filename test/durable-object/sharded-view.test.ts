import { nameOfShard } from '../../adapters/durable-object/shards.ts'
import { ShardedView } from '../../adapters/durable-object/sharded-view.ts'
import type { ConformanceFactory } from '../../conformance/index.ts'
import type { QueueStorage, StorageAdapter } from '../../src/storage.ts'
import { referenceWith } from '../conformance/reference.ts'
import { registerConformance } from '../conformance/register.ts'

// What the view of a queue in shards makes of shards that are right: no runtime, no engine.

const SHARDS = 3
const reference = referenceWith()

function sharded(adapter: StorageAdapter): StorageAdapter {
  const views: QueueStorage[] = []
  return {
    guarantees: factory.guarantees,
    async open(queue) {
      const names = Array.from({ length: SHARDS }, (_, i) => nameOfShard(queue, i))
      const view = new ShardedView(await Promise.all(names.map((name) => adapter.open(name))), () => {})
      views.push(view)
      return view
    },
    queues: () => adapter.queues(),
    close: async () => void (await Promise.all([...views.map((view) => view.close()), adapter.close()])),
  }
}

const factory: ConformanceFactory = {
  guarantees: {
    ...reference.guarantees,
    fifo: false,
    idsWithKeys: false,
    queueLimits: false,
    listsQueues: false,
  },
  async create(options) {
    const { adapter, second, reopen, ...rest } = await reference.create(options)
    return {
      ...rest,
      adapter: sharded(adapter),
      ...(second && { second: async () => sharded(await second()) }),
      ...(reopen && { reopen: async () => sharded(await reopen()) }),
    }
  },
}

registerConformance('three shards of the reference', factory, {
  quick: 'small',
  exceptions: {
    'append: makes ids of the first 28 characters of the batch id and 8 hexadecimal digits':
      'ids have their shard in two of these',
    'clocks: messages that are sent with a delay before and after a jump back all come in their time':
      'a shard that nobody asked meanwhile has not seen the jump',
    'holds: a group that probes lets one of all its lanes go': 'each shard has its probe',
    'holds: a queue that probes lets one go in each group': 'each shard has its probe',
    'holds: one delivery is the probe of all holds that probe': 'each shard has its probe',
  },
})
