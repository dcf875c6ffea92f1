import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { Queue } from '../../src/index.ts'

test('what version 0.1.0 has stored in a directory is read to the last message', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'quayside-stored-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  cpSync(join(import.meta.dirname, 'stored/fs-0.1.0'), directory, { recursive: true })
  const queue = new Queue<unknown>('orders', { storage: new NodeFsAdapter(directory) })
  onTestFinished(() => queue.close())

  const { messages: dead } = await queue.deadLetters('billing').list()
  expect(dead).toMatchObject([
    { payload: 'dead', reason: 'rejected', lastError: 'no such shop', headers: { from: 'shop' } },
  ])
  const again = await queue.createProducer().send('again', { id: 'order-7' })
  expect(again.status).toBe('duplicate')

  const read = async (group: string): Promise<unknown[]> => {
    const seen: unknown[] = []
    await queue.createConsumer(group).drain(({ payload, attempt }) => void seen.push([payload, attempt]))
    return seen.toSorted((a, b) => String(a).localeCompare(String(b)))
  }
  const both = [
    [new Uint8Array([1, 2, 250]), 1],
    ['delayed', 1],
  ]
  expect(await read('billing')).toEqual([
    ...both,
    ['first of a key', 2],
    ['retried', 2],
    ['second of a key', 1],
  ])
  expect(await read('audit')).toEqual([
    both[0],
    ['acked', 1],
    ['dead', 1],
    both[1],
    ['first of a key', 1],
    ['retried', 1],
    ['second of a key', 1],
  ])
})
