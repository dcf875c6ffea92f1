import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import type { Head, Line, Standing } from '../../cli/dump.ts'
import { importLines } from '../../cli/import-lines.ts'
import { linesOf } from '../../cli/lines.ts'
import { inOrder } from '../../cli/order.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { MAX_IDS, type ListQuery, type NewMessage } from '../../src/storage.ts'
import { SpyStorage } from '../support/spy-storage.ts'

async function all(pieces: readonly Uint8Array[]): Promise<string[]> {
  const lines: string[] = []
  const source = async function* (): AsyncGenerator<Uint8Array> {
    yield* pieces
  }
  for await (const line of linesOf(source())) lines.push(line)
  return lines
}

function piecesOf(text: string, size: number): Uint8Array[] {
  const bytes = Buffer.from(text)
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  )
}

/** Of the processor: on a busy machine the clock tells of others. */
async function msOf(work: () => unknown): Promise<number> {
  const started = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(started)
  return (user + system) / 1000
}

describe('lines', () => {
  test.each([1, 2, 3, 5, 100])('come out whole, in pieces of %d bytes', async (size) => {
    expect(await all(piecesOf('one\n\n€uro 😀\r\n\u2028same\nlast', size))).toEqual([
      'one',
      '',
      '€uro 😀\r',
      '\u2028same',
      'last',
    ])
    expect(await all(piecesOf('a\nb\n', size))).toEqual(['a', 'b'])
    expect(await all([])).toEqual([])
  })

  test('that are long take no square of their length', async () => {
    const line = 'x'.repeat(1024 * 1024)
    const short = piecesOf(Array(48).fill(line).join('\n'), 65_536)
    const long = piecesOf(Array(48).fill(line).join(''), 65_536)
    await all(short.slice(0, 64))
    const many = await msOf(() => all(short))
    // The square took more than a hundred times as long.
    expect(await msOf(() => all(long))).toBeLessThan(10 * many + 500)
  })
})

const standing = (more: Partial<Standing> = {}): Standing => ({ state: 'ready', attempt: 1, ...more })
const lineOf = (n: number, groups: Line['groups'], more: object = {}): Line => ({
  id: `m${n}`,
  timestamp: n,
  payload: n,
  key: 'k',
  groups,
  ...more,
})

describe('the order of sending', () => {
  test('takes no square of what a group is done with', async () => {
    const done = Array.from({ length: 30_000 }, (_, i) => lineOf(i + 1, { a: standing({ place: i }) }))
    // Group b has only this one left, and it is the oldest.
    const rest = lineOf(0, { a: standing({ place: 30_000 }), b: standing({ place: 0 }) })
    let ordered: Line[] = []
    expect(await msOf(() => (ordered = inOrder([rest, ...done], ['a', 'b'])))).toBeLessThan(3000)
    expect(ordered.at(-1)).toBe(rest)
    expect(ordered).toHaveLength(30_001)
  })

  test('takes no square of the groups', async () => {
    const groups = Array.from({ length: 2000 }, (_, i) => `g${i}`)
    const lines = [0, 1, 2].map((n) =>
      lineOf(n, Object.fromEntries(groups.map((g) => [g, standing({ place: n })]))),
    )
    let ordered: Line[] = []
    expect(await msOf(() => (ordered = inOrder(lines, groups)))).toBeLessThan(1000)
    expect(ordered).toEqual(lines)
  })
})

describe('import', () => {
  const head = (groups: readonly string[]): string =>
    JSON.stringify({ quayside: 'queue', version: 1, queue: 'orders', groups, exportedAt: 0 } satisfies Head)
  const batches = async function* (lines: readonly string[]): AsyncGenerator<readonly string[]> {
    yield lines
  }

  test('sends large messages in appends that a storage takes, touched or not', async () => {
    const adapter = new SpyStorage(new MemoryAdapter())
    const payload = 'x'.repeat(1024 * 1024)
    const lines = Array.from({ length: 20 }, (_, i) =>
      JSON.stringify(lineOf(i, { g: standing({ attempt: i % 2 }) }, { payload, key: undefined })),
    )
    const totals = await importLines({ adapter }, batches([head(['g']), ...lines]), { add: () => undefined })
    expect(totals).toMatchObject({ stored: 20, duplicates: 0 })
    for (const { args } of adapter.of('append')) {
      const bytes = (args[0] as NewMessage[]).reduce((sum, { body }) => sum + body.length, 0)
      expect(bytes).toBeLessThan(8 * 1024 * 1024)
    }
  })

  test('looks for dead letters of the queue only in groups that have any, and for so many ids as a list takes', async () => {
    const adapter = new SpyStorage(new MemoryAdapter())
    const groups = Array.from({ length: 20 }, (_, i) => `g${i}`)
    const lines = Array.from({ length: 600 }, (_, i) =>
      JSON.stringify(
        lineOf(
          i,
          Object.fromEntries(groups.map((g) => [g, standing({ state: 'dead', reason: 'rejected' })])),
          {
            key: undefined,
          },
        ),
      ),
    )
    const progress = { add: () => undefined }
    await importLines({ adapter }, batches([head(groups), ...lines]), progress)
    expect(adapter.count('list')).toBe(0)
    const again = await importLines({ adapter }, batches([head(groups), ...lines]), progress)
    expect(again).toMatchObject({ stored: 0, duplicates: 600 })
    for (const { args } of adapter.of('list'))
      expect((args[0] as ListQuery).ids!.length).toBeLessThanOrEqual(MAX_IDS)
  })
})
