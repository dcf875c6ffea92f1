import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { Queue, type StorageAdapter } from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'

const EVIL = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']

const STORAGES: Record<string, () => StorageAdapter> = {
  memory: () => new MemoryAdapter(),
  fs: () => {
    const directory = mkdtempSync(join(tmpdir(), 'quayside-prototype-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    return new NodeFsAdapter(directory)
  },
}

/** An object with these names of its own, as JSON.parse makes it. */
function own<T>(value: T): Record<string, T> {
  return JSON.parse(`{${EVIL.map((name) => `"${name}":${JSON.stringify(value)}`).join(',')}}`) as never
}

const ownNames = (value: object): string[] => Object.getOwnPropertyNames(value)

afterEach(() => {
  if ('polluted' in {}) throw new Error('the prototype of all objects was changed')
})

describe.each(Object.entries(STORAGES))('names that objects have by themselves, on %s', (_, open) => {
  test('are names like others in payloads and headers', async () => {
    const queue = new Queue<unknown>('q', { storage: open() })
    await queue.createProducer().send(own({ polluted: 1 }), { headers: own('polluted') })
    const message = await queue.createConsumer().receive()
    expect(ownNames(message!.payload as object)).toEqual(EVIL)
    expect(Object.getPrototypeOf(message!.payload)).toBe(Object.prototype)
    expect(ownNames(message!.headers)).toEqual(EVIL)
    expect(Object.getOwnPropertyDescriptor(message!.headers, '__proto__')?.value).toBe('polluted')
    await queue.close()
  })

  test('are names like others for queues, groups, keys and ids', async () => {
    const storage = open()
    for (const name of EVIL) {
      const queue = new Queue<string>(name, { storage })
      const consumer = queue.createConsumer(name)
      await consumer.join()
      await queue.createProducer().sendBatch([
        { payload: 'first', id: name, key: name, dedupeMs: 1000 },
        { payload: 'second', key: name },
      ])
      expect((await queue.createProducer().send('again', { id: name })).status).toBe('duplicate')
      const seen: string[] = []
      await consumer.drain(({ payload }) => void seen.push(payload))
      expect(seen).toEqual(['first', 'second'])
      const { groups } = await queue.stats()
      expect(ownNames(groups)).toEqual([name])
      await queue.close()
    }
  })

  test('are no options', async () => {
    const queue = new Queue<unknown>('q', { storage: open() })
    for (const name of EVIL) {
      const options = JSON.parse(`{"${name}":{"polluted":1}}`) as object
      await expect(queue.createProducer().send(1, options)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      })
    }
    await queue.close()
  })
})
