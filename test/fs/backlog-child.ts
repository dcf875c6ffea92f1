/**
 * Opens a directory in a process of its own, as the first thing that this does there, and looks at what waits without its bodies; then has an
 * outbox send the first request. Says what each step took, as JSON: bytes of memory and of reads, and ms.
 */
import { readFileSync } from 'node:fs'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { Queue } from '../../src/index.ts'
import { Outbox, type OutboxPayload } from '../../src/outbox/index.ts'

export interface Backlog {
  readonly waiting: number
  readonly listed: number
  readonly size: number
  /** What it had grown by when nothing but bodies was left to read. */
  readonly grownBytes: number
  readonly readBytes: number
  /** From before the directory was opened until the first request was under way. */
  readonly firstMs: number
  /** By then, after all that was read before. */
  readonly firstReadBytes: number
  readonly sentBytes: number
}

const [directory, idle] = process.argv.slice(2) as [string, string]

/** All that the process has read from files and elsewhere. */
function bytesRead(): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))![1])
}

async function look(at: string): Promise<{ queue: Queue<OutboxPayload>; outbox: Outbox; seen: Seen }> {
  const queue = new Queue<OutboxPayload>('outbox', { storage: new NodeFsAdapter(at) })
  let underWay = (_bytes: number): void => {}
  const first = new Promise<number>((resolve) => (underWay = resolve))
  const outbox = new Outbox(queue, {
    fetch: async (request) => {
      const { length } = new Uint8Array(await new Request(request).arrayBuffer())
      underWay(length)
      return await new Promise(() => {})
    },
  })
  const { messages: waiting } = await queue.stats()
  let listed = 0
  for (let cursor: string | undefined; ;) {
    const page = await queue.list({ bodies: false, cursor, limit: 1000 })
    listed += page.messages.length
    cursor = page.cursor
    if (cursor === undefined) break
  }
  const size = await outbox.size()
  return { queue, outbox, seen: { waiting, listed, size, first } }
}

interface Seen {
  readonly waiting: number
  readonly listed: number
  readonly size: number
  readonly first: Promise<number>
}

// So that code which is loaded and compiled now is not counted.
await (await look(idle)).queue.close()
const rss = process.memoryUsage.rss()
const read = bytesRead()
const start = performance.now()
const { outbox, seen } = await look(directory)
const grownBytes = process.memoryUsage.rss() - rss
const readBytes = bytesRead() - read
outbox.start()
const sentBytes = await seen.first
const { waiting, listed, size } = seen
console.log(
  JSON.stringify({
    waiting,
    listed,
    size,
    grownBytes,
    readBytes,
    firstMs: performance.now() - start,
    firstReadBytes: bytesRead() - read - readBytes,
    sentBytes,
  } satisfies Backlog),
)
process.exit()
