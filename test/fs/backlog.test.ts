import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { Queue } from '../../src/index.ts'
import { Outbox } from '../../src/outbox/index.ts'
import type { NewMessage } from '../../src/storage.ts'
import { effort } from '../support/effort.ts'
import type { Backlog } from './backlog-child.ts'
import { temporaryDirectory } from './temporary.ts'

const MB = 1024 * 1024
const BODY_BYTES = 5_000_000
const WAITING = effort({ quick: 200, full: 1000 })
const TOGETHER = 20
const CHILD = fileURLToPath(new URL('backlog-child.ts', import.meta.url))

/** A request as an outbox has it stored. */
async function storedRequest(): Promise<NewMessage> {
  const storage = new MemoryAdapter()
  await using queue = new Queue('outbox', { storage })
  const body = new Uint8Array(BODY_BYTES).map((_, i) => i * 7)
  await new Outbox(queue).store(new Request('http://127.0.0.1:9/photo', { method: 'POST', body }))
  const view = await storage.open('outbox')
  const { messages } = await view.list({ group: 'outbox', limit: 1 })
  await view.close()
  const { body: stored, headers, lane } = messages[0]!
  return { body: stored, headers, lane }
}

async function fill(directory: string): Promise<void> {
  const storage = new NodeFsAdapter(directory, { durability: 'os' })
  const view = await storage.open('outbox')
  const message = await storedRequest()
  for (let i = 0; i < WAITING / TOGETHER; i++)
    await view.append(
      Array.from({ length: TOGETHER }, () => message),
      { batchId: String(i).padStart(28, '0') },
    )
  await view.close()
  await storage.close()
}

test.skipIf(process.platform !== 'linux')(
  `what waits with ${WAITING} bodies of 5 MB is opened, counted and listed without them, and sent one by one`,
  { timeout: 300_000 },
  async () => {
    const directory = temporaryDirectory()
    await fill(directory)
    const output = execFileSync(process.execPath, [CHILD, directory, temporaryDirectory()], {
      timeout: 120_000,
    })
    const found = JSON.parse(output.toString()) as Backlog
    const { waiting, listed, size, grownBytes, readBytes, firstReadBytes, sentBytes } = found
    expect({ waiting, listed, size }).toEqual({ waiting: WAITING, listed: WAITING, size: WAITING })
    expect(grownBytes).toBeLessThan(30 * MB)
    expect(readBytes).toBeLessThan((WAITING * BODY_BYTES) / 100)
    expect(sentBytes).toBe(BODY_BYTES)
    // Those that it may have under way at once.
    expect(firstReadBytes).toBeLessThan(5 * BODY_BYTES)
  },
)
