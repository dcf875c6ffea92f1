// The ingest server: takes lines over HTTP into a queue on disk, and works them off again.
//
//   node ingest.ts DIRECTORY DOWNSTREAM_URL [ID_TO_FORGET]
//
// In a program of your own these two come from 'quayside' and 'quayside/fs'.
import { type GroupStats, QuaysideError, Queue } from '../../src/index.ts'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { type FileHandle, open } from 'node:fs/promises'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { record } from './lines.ts'
import type { FromIngest, IngestStats, ToIngest } from './messages.ts'
import { post } from './post.ts'
import { hearParent, tellParent } from './parent.ts'

const [directory, downstream, forget] = process.argv.slice(2) as [string, string, string?]

// A directory has one owner: whoever sends and whoever receives live in this process.
const storage = new NodeFsAdapter(join(directory, 'queue'), {
  onEvent: (event) => tellParent<FromIngest>({ type: 'news', text: `journal: ${JSON.stringify(event)}` }),
})
const queue = new Queue<string>('lines', { storage })
const producer = queue.createProducer()
const deliverer = queue.createConsumer('deliver', {
  // Patient enough for the downtime of this demo. Real services are down for hours: be more patient.
  retry: { maxAttempts: 100, initialMs: 50, maxMs: 1000 },
})
const auditor = queue.createConsumer('audit')
const stop = new AbortController()

/** A client that missed its 202 asks again with the same id, which is then known even if the message is done. */
const KNOWN_MS = 10 * 60_000

/** In: a request becomes a message. The answer is 202 when it is on disk, which is when `send` resolves. */
async function accept(request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const id = String(request.headers['idempotency-key'] ?? '')
    const { status } = await producer.send(await text(request), { id, dedupeMs: KNOWN_MS })
    response.writeHead(202, { 'content-type': 'application/json' }).end(JSON.stringify({ id, status }))
  } catch (error) {
    response.writeHead(statusOf(error), { 'content-type': 'text/plain' }).end(String(error))
  }
}

function statusOf(error: unknown): number {
  const code = error instanceof QuaysideError ? error.code : undefined
  if (code === 'INVALID_ARGUMENT') return 400
  if (code === 'TOO_LARGE') return 413
  return 503
}

/** Out, group `deliver`: a message becomes a request. To return is to be done with it, to throw is to get it again. */
async function deliver(): Promise<void> {
  await deliverer.run(
    async (message, { signal }) => {
      if (message.id === forget) return // a bug, on request
      const { status } = await post(downstream, message.id, message.payload, signal)
      if (status !== 200) throw new Error(`downstream answered ${status}`)
    },
    { concurrency: 32, signal: stop.signal },
  )
}

/** Out, group `audit`: all messages once more, in batches, into a file. */
async function audit(): Promise<void> {
  const file = await open(join(directory, 'audit.log'), 'a+')
  await cutTornLine(file)
  while (!stop.signal.aborted) {
    const messages = await auditor.receiveBatch(1000, { waitMs: 250 })
    if (messages.length === 0) continue
    await file.appendFile(messages.map(({ id, payload }) => record(id, payload)).join(''))
    await file.datasync()
    await auditor.ackBatch(messages)
  }
  await file.close()
}

/** A kill may have cut the last write short. Nothing of it was acked, so all of it comes again. */
async function cutTornLine(file: FileHandle): Promise<void> {
  const content = await file.readFile()
  const end = content.lastIndexOf('\n') + 1
  if (end < content.length) await file.truncate(end)
}

async function count(): Promise<IngestStats> {
  const { groups, sent } = await queue.stats()
  const { deliver, audit } = groups
  return {
    stored: sent,
    waiting: left(deliver),
    unaudited: left(audit),
    retried: deliver?.failed ?? 0,
    dead: (deliver?.dead ?? 0) + (audit?.dead ?? 0),
  }
}

function left(group: GroupStats | undefined): number {
  return group === undefined ? 0 : group.ready + group.leased + group.delayed + group.blocked
}

async function finish(): Promise<void> {
  stop.abort()
  server.close()
  server.closeAllConnections()
  await working
  const dead: string[] = []
  for (const group of ['deliver', 'audit']) {
    const { messages } = await queue.deadLetters(group).list({ limit: 5 })
    for (const { id, reason, attempt, lastError } of messages) {
      dead.push(`${id}: ${reason} in group ${group} after ${attempt} attempts: ${lastError ?? ''}`)
    }
  }
  await queue.close()
  tellParent<FromIngest>({ type: 'finished', dead })
  process.disconnect()
}

hearParent<ToIngest>((message) => {
  if (message === 'finish') void finish()
})

async function report(): Promise<void> {
  while (!stop.signal.aborted) {
    tellParent<FromIngest>({ type: 'stats', stats: await count() })
    await sleep(100)
  }
}

const started = performance.now()
// A group gets what is sent once it is there: both, before the first message, or one might finish with it alone.
await Promise.all([deliverer.join(), auditor.join()])
const openMs = performance.now() - started

const working = Promise.all([deliver(), audit(), report()])

const server = createServer((request, response) => void accept(request, response))
server.listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  void count().then((stats) => tellParent<FromIngest>({ type: 'ready', url, openMs, stats }))
})
