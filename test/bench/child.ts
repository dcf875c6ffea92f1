// What needs a process of its own: heaps that must not disturb each other, resident memory, and being killed.
// Started by `inChild` and `Child` of children.ts, with the name of a task and its arguments.
import { diskBytes } from './folders.ts'
import { gc } from './harness.ts'
import { monotonic } from './monotonic.ts'
import { type Order, order, read } from './payload.ts'
import { NodeFsAdapter, Queue } from './quayside.ts'
import { type Kind, PLAIN, type SubjectName, subject } from './subjects.ts'

export interface Where {
  folder: string
}

type Payload = Order | { n: number; text: string }

function open({ folder }: Where) {
  const adapter = new NodeFsAdapter(folder, { durability: 'os' })
  const queue = new Queue<Payload>('bench', { storage: adapter })
  const close = async () => {
    await queue.close()
    await adapter.close()
  }
  return { queue, producer: queue.createProducer(), consumer: queue.createConsumer(), close }
}

let n = 0
function batch() {
  return Array.from({ length: 100 }, () => ({ payload: order(n++) }))
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
  async growth({ name, folder, kind, waiting, sliceMs }: GrowthTask) {
    const work = await subject(name).open(folder, kind)
    for (let i = 0; i < waiting; i += 100) await work.send(100)
    const lap = async () => {
      await work.send(100)
      await work.take!(100)
    }
    for (const started = performance.now(); performance.now() - started < 500;) await lap()
    // The first claims of a group with few ordering keys set aside all that waits behind them, once for each message.
    for (let before = Infinity, ready = await work.ready?.(); ready !== undefined && ready < before;) {
      for (let i = 0; i < 10; i++) await lap()
      before = ready
      ready = await work.ready!()
    }
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
    // The parent is done with it, or gone.
    process.on('disconnect', () => void Promise.resolve(work.close?.()).then(() => process.exit()))
    process.send!('ready')
  },

  /** Handles what comes, and tells when it did. */
  async listen({ name, port, count }: ListenTask) {
    // Only here: what it brings along would count where memory is measured.
    const { APART } = await import('./peers/apart.ts')
    const heard = new Map<number, number>()
    await APART.find((apart) => apart.name === name)!.listen(port, (payload) => {
      if (!heard.has(payload.order)) heard.set(payload.order, monotonic())
      read(payload)
      if (heard.size === count) report([...heard])
    })
    process.on('disconnect', () => process.exit())
    report('ready')
  },

  /** Heap per waiting message: the slope between two backlogs, so that caches of a fixed size do not count. */
  async heap({ name, folder, count }: HeapTask) {
    const work = await subject(name).open(folder, PLAIN)
    const fill = async (from: number, to: number) => {
      for (let i = from; i < to; i += 100) await work.send(100)
      return heapBytes()
    }
    const few = await fill(0, count / 5)
    const many = await fill(count / 5, count)
    process.send!((many - few) / (count - count / 5), () => process.exit()) // whatever timers it has
  },

  async fill({ where, count, large, killed }: FillTask) {
    const { producer, close } = open(where)
    let bodies = 0
    for (let i = 0; i < count; i += 100) {
      const messages = large ? Array.from({ length: 100 }, kilobyte) : batch()
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
  name: SubjectName
  folder: string
  kind: Kind
  waiting: number
  sliceMs: number
}

export interface ListenTask {
  /** Of {@link APART}. */
  name: string
  port: number
  count: number
}

export interface HeapTask {
  name: SubjectName
  folder: string
  count: number
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
if (name !== 'growth' && name !== 'listen') process.disconnect!()
