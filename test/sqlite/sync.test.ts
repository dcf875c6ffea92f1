// What waits for the disk, and what happens when that fails. Nothing else than the call that has the disk write is made to fail.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { SQLiteAdapter } from '../../adapters/sqlite/index.ts'
import { Queue } from '../../src/index.ts'
import { temporaryDirectory } from '../fs/temporary.ts'

const { fdatasyncSync } = fs
let syncs = 0
let failures = 0

function hook(): void {
  syncs = failures = 0
  fs.fdatasyncSync = (file) => {
    syncs++
    if (failures-- > 0) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
    fdatasyncSync(file)
  }
  syncBuiltinESMExports()
}

afterEach(() => {
  fs.fdatasyncSync = fdatasyncSync
  syncBuiltinESMExports()
})

test.each([
  ['sends wait for the disk, claims and acks do not', {}, [1, 0, 0, 1]],
  ['all wait, if acks are to be strict', { strictAcks: true }, [1, 1, 1, 1]],
  ['nothing waits, if the system is enough', { durability: 'normal' }, [0, 0, 0, 0]],
] as const)('%s', async (_, options, expected) => {
  hook()
  const file = join(temporaryDirectory(), 'app.db')
  await using queue = new Queue<number>('q', { storage: new SQLiteAdapter(file, options) })
  const consumer = queue.createConsumer()
  const counts: number[] = []
  const count = async <T>(step: Promise<T>): Promise<T> => {
    const before = syncs
    const result = await step
    counts.push(syncs - before)
    return result
  }
  // What begins with the first use.
  await queue.createProducer().send(0)
  await (await consumer.receive())!.ack()
  await count(queue.createProducer().send(1))
  const message = await count(consumer.receive())
  await count(message!.ack())
  await count(queue.cancel(['nothing']))
  expect(counts).toEqual(expected)
})

test('what the disk did not take from the log is moved into the file; while it cannot be, sends are refused', async () => {
  hook()
  const file = join(temporaryDirectory(), 'app.db')
  await using queue = new Queue<number>('q', { storage: new SQLiteAdapter(file) })
  const producer = queue.createProducer()
  await producer.send(1)
  failures = 1
  await producer.send(2)
  expect(fs.statSync(`${file}-wal`).size).toBe(0)
  // Who reads what is in the log keeps it there.
  const reader = new DatabaseSync(file)
  reader.exec('BEGIN; SELECT count(*) FROM quayside_rows')
  await producer.send(3)
  failures = 1
  await expect(producer.send(4)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
  // The disk does what it is asked for again, but lies about what it was asked for before.
  await expect(producer.send(5)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
  reader.close()
  await producer.send(6)
  expect(fs.statSync(`${file}-wal`).size).toBe(0)
  await producer.send(7)
  expect(fs.statSync(`${file}-wal`).size).toBeGreaterThan(0)
})
