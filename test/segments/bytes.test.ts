import { expect, test } from 'vitest'
import { QuaysideError } from '../../src/errors.ts'
import {
  type ByteRow,
  type ByteStore,
  type Kind,
  type QueueStore,
  transactional,
} from '../../src/segments/index.ts'
import type { Hint } from '../../src/storage.ts'
import { byteMemory } from '../support/byte-store.ts'

async function opened(onCommit?: (kind: Kind) => void): Promise<QueueStore> {
  return await transactional(byteMemory({ ...(onCommit && { onCommit }) })()).open('queue')
}

function add(queue: QueueStore, n: number, kind: Kind = 'append'): Promise<number> {
  return queue.transact(kind, (tx) => {
    tx.put('ids', n, n)
    return n
  })
}

function rows(queue: QueueStore): Promise<unknown> {
  return queue.transact('read', (tx) => tx.range('ids', {}, 1000).map(([key]) => key))
}

test('calls of one moment share a commit, which is as strong as the strongest of them', async () => {
  const commits: Kind[] = []
  const queue = await opened((kind) => commits.push(kind))
  await Promise.all(Array.from({ length: 50 }, (_, n) => add(queue, n)))
  expect(commits).toEqual(['append'])
  await Promise.all([rows(queue), add(queue, 1, 'consume'), add(queue, 2, 'remove')])
  await Promise.all([rows(queue), add(queue, 1, 'consume')])
  await Promise.all([rows(queue), rows(queue)])
  expect(commits).toEqual(['append', 'remove', 'consume', 'read'])
})

test('where there is no room for all, each is tried alone', async () => {
  let inCommit = 0
  const full = new QuaysideError('QUOTA_EXCEEDED', 'no room')
  const queue = await opened((kind) => {
    inCommit++
    if (kind === 'append') throw full
  })
  const ends = await Promise.allSettled([add(queue, 1, 'consume'), add(queue, 2), add(queue, 3, 'remove')])
  expect(ends).toEqual([
    { status: 'fulfilled', value: 1 },
    { status: 'rejected', reason: full },
    { status: 'fulfilled', value: 3 },
  ])
  expect(inCommit).toBe(4)
  expect(await rows(queue)).toEqual([1, 3])
})

test('what a read or write throws, and the store names, is told to whom it concerns', async () => {
  const store = byteMemory()()
  const queue = await transactional({
    ...store,
    open: async (name) => {
      const own = await store.open(name)
      return {
        now: () => 7,
        async transact(kind, body) {
          try {
            await own.transact(kind, async (rows) => {
              await body({
                get: (key) => rows.get(key),
                scan: (from, to, limit) => rows.scan(from, to, limit),
                delete: (key) => rows.delete(key),
                deleteRange: (from, to) => rows.deleteRange(from, to),
                put: (key, value) => {
                  if (kind === 'append' && value.length > 1) throw new RangeError('disk full')
                  rows.put(key, value)
                },
              })
            })
          } catch (cause) {
            throw cause instanceof RangeError ? new QuaysideError('QUOTA_EXCEEDED', 'full', { cause }) : cause
          }
        },
        tell: () => {
          throw new Error('nobody can be told')
        },
      }
    },
  }).open('queue')
  const ends = await Promise.allSettled([add(queue, 1), add(queue, 22), add(queue, 3)])
  expect(
    ends.map((end) => (end.status === 'rejected' ? (end.reason as QuaysideError).code : end.value)),
  ).toEqual([1, 'QUOTA_EXCEEDED', 3])
  expect(await rows(queue)).toEqual([1, 3])
})

test('a commit that may have happened is told to all who share it, and not tried again', async () => {
  const failure = new QuaysideError('STORAGE_FAILED', 'the connection was lost')
  let commits = 0
  const queue = await opened((kind) => {
    if (kind === 'read') return
    commits++
    throw failure
  })
  const ends = await Promise.allSettled([add(queue, 1), add(queue, 2)])
  expect(ends.map((end) => end.status === 'rejected' && end.reason === failure)).toEqual([true, true])
  expect(commits).toBe(1)
})

test('a store whose transactions answer at once, and that runs a body twice, is one', async () => {
  const open = byteMemory()
  let runs = 0
  const twice = (): ByteStore => {
    const store = open()
    return {
      ...store,
      open: async (name) => {
        const queue = await store.open(name)
        return {
          now: () => 7,
          transact: async (kind, body) => {
            runs++
            await queue
              .transact(kind, async (seen) => {
                await body(seen)
                throw new Error('once more')
              })
              ?.catch(() => undefined)
            await queue.transact(kind, body)
          },
        }
      },
    }
  }
  const queue = await transactional(twice()).open('queue')
  expect(await add(queue, 1)).toBe(1)
  expect(await rows(queue)).toEqual([1])
  expect(queue.now()).toBe(7)
  expect(runs).toBe(2)
})

test('who watches is told after the commit, with what the body told, and not of what failed', async () => {
  const told: (Hint | undefined)[] = []
  const queue = await opened()
  queue.watch!((hint) => told.push(hint))
  await Promise.allSettled([
    queue.transact('consume', (tx) => {
      tx.put('ids', 1, 1)
      tx.tell!({ finished: ['a'] })
    }),
    queue.transact('consume', () => {
      throw new Error('not this')
    }),
    queue.transact('consume', (tx) => {
      tx.put('ids', 2, 1)
      tx.tell!({ finished: ['b'] })
    }),
  ])
  await rows(queue)
  expect(told).toEqual([{ finished: ['a', 'b'] }])
})

test('a store that resolves without running the body rejects what was called, and goes on', async () => {
  const store = byteMemory()()
  let isLazy = true
  const queue = await transactional({
    ...store,
    open: async (name) => {
      const own = await store.open(name)
      return { now: () => 7, transact: (kind, body) => (isLazy ? undefined : own.transact(kind, body)) }
    },
  }).open('queue')
  await expect(add(queue, 1)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
  isLazy = false
  expect(await add(queue, 2)).toBe(2)
  expect(await rows(queue)).toEqual([2])
})

test('reads may answer with promises of any library', async () => {
  const store = byteMemory()()
  const thenable = <T>(value: T): PromiseLike<T> => ({
    // oxlint-disable-next-line unicorn/no-thenable -- That is what it is about.
    then: (resolve, reject) => Promise.resolve(value).then(resolve, reject),
  })
  const queue = await transactional({
    ...store,
    open: async (name) => {
      const own = await store.open(name)
      return {
        now: () => 7,
        transact: (kind, body) =>
          own.transact(kind, (seen) =>
            body({
              get: (key) => thenable(seen.get(key) as Uint8Array | undefined),
              scan: (from, to, limit) => thenable(seen.scan(from, to, limit) as readonly ByteRow[]),
              put: (key, value) => seen.put(key, value),
              delete: (key) => seen.delete(key),
              deleteRange: (from, to) => seen.deleteRange(from, to),
            }),
          ),
      }
    },
  }).open('queue')
  expect(await add(queue, 1)).toBe(1)
  expect(await rows(queue)).toEqual([1])
})

test('a queue that could not be opened is opened again', async () => {
  const open = byteMemory()
  let tries = 0
  const store = transactional({
    ...open(),
    open: (name) => {
      if (++tries === 1) throw new QuaysideError('STORAGE_UNAVAILABLE', 'not yet')
      return open().open(name)
    },
  })
  await expect(store.open('queue')).rejects.toThrow('not yet')
  expect(await add(await store.open('queue'), 1)).toBe(1)
})
