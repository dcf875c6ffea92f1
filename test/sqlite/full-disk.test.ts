// A disk that is full, for real: what is there can be consumed, and then there is room again.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, expect, test } from 'vitest'
import { SQLiteAdapter } from '../../adapters/sqlite/index.ts'
import { Queue } from '../../src/index.ts'
import { smallDisk } from '../fs/small-disk.ts'
import { temporaryDirectory } from '../fs/temporary.ts'

function expectRefusal(error: unknown, file: string): void {
  expect(error).toMatchObject({
    code: 'QUOTA_EXCEEDED',
    message: expect.stringContaining(file) as string,
  })
}

/** A disk of 20 MB. */
function disk(context: TestContext): string {
  const directory = smallDisk(20)
  if (directory === undefined) context.skip('only root may have a disk of its own')
  return directory
}

test('messages are consumed while the disk is full, by whoever comes, and sends work again after that', async (context) => {
  const directory = disk(context)
  const file = join(directory, 'app.db')
  const open = (): Queue<string> => new Queue<string>('q', { storage: new SQLiteAdapter(file) })
  const first = open()
  const producer = first.createProducer()
  const body = 'x'.repeat(200)
  /** Sends until it is refused; answers with how many messages were stored. */
  const fill = async (): Promise<number> => {
    for (let stored = 0; ; stored += 20) {
      const batch = Array.from({ length: 20 }, (_, n) => ({ payload: `${body}${stored + n}` }))
      const error = await producer.sendBatch(batch).then(
        () => undefined,
        (refused: unknown) => refused,
      )
      if (error === undefined) continue
      expectRefusal(error, file)
      return stored
    }
  }
  const consume = async (queue: Queue<string>, most: number): Promise<number> => {
    const consumer = queue.createConsumer()
    let done = 0
    while (done < most) {
      const messages = await consumer.receiveBatch(Math.min(7, most - done))
      if (messages.length === 0) break
      for (const message of messages) await message.ack()
      done += messages.length
    }
    return done
  }
  const stored = await fill()
  expect(stored).toBeGreaterThan(10_000)
  expect(await consume(first, 1000)).toBe(1000)
  // Somebody else opens it while it is full.
  const second = open()
  expect(await consume(second, Infinity)).toBe(stored - 1000)
  await second.close()
  const again = await fill()
  expect(again).toBeGreaterThan(5000)
  expect(await consume(first, Infinity)).toBe(again)
  await first.close()
})

test('space is kept back where there is little, and not where there is plenty', async (context) => {
  const kept = async (directory: string): Promise<number | undefined> => {
    const file = join(directory, 'app.db')
    await using queue = new Queue<number>('q', { storage: new SQLiteAdapter(file) })
    await queue.createProducer().send(1)
    return statSync(`${file}-reserve`, { throwIfNoEntry: false })?.mode
  }
  expect((await kept(disk(context)))! & 0o777).toBe(0o600)
  expect(await kept(temporaryDirectory())).toBeUndefined()
})
