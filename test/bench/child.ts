// What needs a process of its own: heaps that must not disturb each other, resident memory, and being killed.
// Started by `inChild` and `Child` of children.ts, with the name of a task and its arguments.
import { diskBytes } from './folders.ts'
import { gc } from './harness.ts'
import { type Order, order } from './payload.ts'
import { MemoryAdapter, NodeFsAdapter, Queue } from './quayside.ts'

export interface Where {
  storage: 'memory' | 'fs'
  folder: string
}

export interface Kind {
  /** Number of ordering keys; 0 for messages without. */
  keys: number
  /** Whether each message has an id of the caller's. */
  ids: boolean
}

type Payload = Order | { n: number; text: string }

function open({ storage, folder }: Where) {
  // 'os', so that what the engine costs is not hidden behind the disk.
  const adapter = storage === 'memory' ? new MemoryAdapter() : new NodeFsAdapter(folder, { durability: 'os' })
  const queue = new Queue<Payload>('bench', { storage: adapter })
  const close = async () => {
    await queue.close()
    await adapter.close()
  }
  return { queue, producer: queue.createProducer(), consumer: queue.createConsumer(), close }
}

let n = 0
function batch({ keys, ids }: Kind, size = 100) {
  return Array.from({ length: size }, () => {
    n++
    return {
      payload: order(n),
      ...(keys > 0 && { key: `key-${n % keys}` }),
      ...(ids && { id: `order-${n}` }),
    }
  })
}

/** About 1 KB of JSON. */
function kilobyte() {
  n++
  return { payload: { n, text: `${n} `.repeat(500).slice(0, 985) } }
}

function heapBytes(): number {
  gc()
  gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const tasks = {
  /** Fills a queue, then answers each message from the parent with the rate of one slice. */
  async growth({ where, kind, waiting, sliceMs }: GrowthTask) {
    const { producer, consumer } = open(where)
    for (let i = 0; i < waiting; i += 100) await producer.sendBatch(batch(kind))
    const lap = async () => {
      await producer.sendBatch(batch(kind))
      for (let left = 100; left > 0;) {
        const messages = await consumer.receiveBatch(left)
        if (messages.length === 0) throw new Error(`${waiting} messages wait and none is delivered`)
        await consumer.ackBatch(messages)
        left -= messages.length
      }
    }
    for (const started = performance.now(); performance.now() - started < 500;) await lap()
    process.on('message', () => {
      void (async () => {
        gc()
        let done = 0
        const started = performance.now()
        while (performance.now() - started < sliceMs) {
          await lap()
          done += 100
        }
        process.send!((done / (performance.now() - started)) * 1000)
      })()
    })
    process.send!('ready')
  },

  /** Heap per waiting message: the slope between two backlogs, so that caches of a fixed size do not count. */
  async heap({ where, count }: { where: Where; count: number }) {
    const { producer } = open(where)
    const fill = async (count: number) => {
      for (; n < count;) await producer.sendBatch(batch({ keys: 0, ids: false }))
      return heapBytes()
    }
    const few = await fill(count / 5)
    const many = await fill(count)
    return (many - few) / (count - count / 5)
  },

  async fill({ where, count, large, killed }: FillTask) {
    const { producer, close } = open(where)
    let bodies = 0
    for (let i = 0; i < count; i += 100) {
      const messages = large ? Array.from({ length: 100 }, kilobyte) : batch({ keys: 0, ids: false })
      for (const { payload } of messages) bodies += JSON.stringify(payload).length
      await producer.sendBatch(messages)
    }
    const disk = diskBytes(where.folder)
    const { rss } = process.memoryUsage()
    report({ ratio: disk / bodies, rss, peak: process.resourceUsage().maxRSS * 1024 })
    if (killed) process.kill(process.pid, 'SIGKILL')
    await close()
  },

  /** From nothing to the first message in hand. */
  async open({ where, killed }: { where: Where; killed: boolean }) {
    const started = performance.now()
    const { queue, consumer, close } = open(where)
    const message = await consumer.receive()
    const ms = performance.now() - started
    if (!message) throw new Error('the queue came back empty')
    const { rss } = process.memoryUsage()
    const waiting = await queue.stats()
    report({ ms, rss, stats: waiting })
    if (killed) process.kill(process.pid, 'SIGKILL')
    await close()
  },
}

export interface GrowthTask {
  where: Where
  kind: Kind
  waiting: number
  sliceMs: number
}

export interface FillTask {
  where: Where
  count: number
  large: boolean
  killed: boolean
}

function report(result: unknown): void {
  process.send!(result)
}

const [name, args] = process.argv.slice(2)
const task = tasks[name as keyof typeof tasks] as (args: unknown) => Promise<unknown>
const result = await task(JSON.parse(args!))
if (result !== undefined) report(result)
if (name !== 'growth') process.disconnect!()
