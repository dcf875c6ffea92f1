import { expect, test } from 'vitest'
import { type ByteQueue, type ByteRow, type QueueStore, transactional } from '../../src/segments/index.ts'
import { byteMemory } from '../support/byte-store.ts'

// Values that are longer than a store can hold.

const MAX = 100

async function opened(later: boolean): Promise<{ queue: QueueStore; bytes: () => Promise<ByteRow[]> }> {
  const open = byteMemory({ later, maxValueBytes: MAX })
  const queue = await transactional(open()).open('queue')
  const raw: ByteQueue = await open().open('queue')
  return {
    queue,
    async bytes() {
      let rows: ByteRow[] = []
      await raw.transact('read', async (all) => {
        rows = [...(await all.scan(Uint8Array.of(0), Uint8Array.of(255, 255), Infinity))]
      })
      return rows
    },
  }
}

const long = (length: number, sign = 'x'): string => sign.repeat(length)

test.each([false, true])(
  'come back whole, are told apart, and leave nothing (reads that take time: %s)',
  async (later) => {
    const { queue, bytes } = await opened(later)
    const put = (key: string | string[], value: string): Promise<void> =>
      queue.transact('append', (tx) => tx.put('ids', key, value))
    const get = (key: string | string[]): Promise<unknown> =>
      queue.transact('read', (tx) => tx.get('ids', key))
    const keys = ['a', ['a', 'b'], 'a\u0000', 'ab']
    // Two signs of each are the quotation marks of JSON.
    const lengths = [MAX - 2, MAX - 1, 2 * MAX - 2, 2 * MAX - 1, 700 * MAX]
    for (const [i, key] of keys.entries())
      for (const length of lengths) {
        await put(key, long(length, `${i}`))
        expect(await get(key)).toBe(long(length, `${i}`))
      }
    expect((await bytes()).length).toBe(4 * (1 + 701))
    expect(Math.max(...(await bytes()).map(([, value]) => value.length))).toBe(MAX)
    const listed = await queue.transact('read', (tx) =>
      tx.range<string>('ids', {}, 2).map(([key, value]) => [key, value[0], value.length]),
    )
    expect(listed).toEqual([
      ['a', '0', 700 * MAX],
      [['a', 'b'], '1', 700 * MAX],
    ])
    // A shorter one, one that is deleted, and a range.
    await put('ab', 'short')
    expect(await get('ab')).toBe('short')
    await queue.transact('remove', (tx) => tx.delete('ids', 'a\u0000'))
    expect((await bytes()).length).toBe(2 * (1 + 701) + 1)
    await queue.transact('remove', (tx) => tx.deleteRange('ids', { upper: 'a' }))
    expect((await bytes()).length).toBe(1)
    expect(await get('ab')).toBe('short')
  },
)

test.each([0, 99, 100.5, NaN])('a longest value of %s bytes is refused', async (maxValueBytes) => {
  const store = transactional(byteMemory({ maxValueBytes, saysMax: true })())
  await expect(store.open('queue')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})
