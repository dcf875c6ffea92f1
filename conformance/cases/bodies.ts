import type { Body } from '../../src/core/index.ts'
import { FIFO, ORDERING_KEYS, type Section } from '../case.ts'
import { equal, ok } from '../assert.ts'
import type { Scene } from '../scene.ts'

const STRINGS: readonly string[] = [
  '',
  ' ',
  'plain',
  '\u0000',
  'a\u0000b',
  '\n\r\t\u2028\u2029',
  '"quoted" \\ back',
  'äöü',
  '漢字',
  '😀 astral 𝒳',
  '\ufeffbom',
  '\ud800',
  'lone \udfff low',
  '\udc00\ud800 swapped',
  '\uffff\ufffe',
  '__proto__',
  'null',
  '{"json":true}',
  '0',
  'e\u0301',
  '\u00e9',
]

const BYTES: readonly Uint8Array[] = [
  new Uint8Array(),
  Uint8Array.of(0),
  Uint8Array.of(0, 0, 0),
  Uint8Array.of(255, 254, 253),
  Uint8Array.from({ length: 256 }, (_, i) => i),
  // Part of a larger buffer: nothing around it belongs to the body.
  Uint8Array.from({ length: 100 }, (_, i) => i).subarray(40, 50),
  new TextEncoder().encode('text as bytes 😀'),
]

/** Sends bodies one by one and in a batch, and checks each delivery against what was sent under its id. */
async function roundTrip(t: Scene, bodies: readonly Body[]): Promise<void> {
  const q = await t.open()
  const sent = new Map<string, Body>()
  for (const body of bodies) sent.set((await q.send({ body }))[0]!, body)
  const ids = await q.send(...bodies.map((body) => ({ body })))
  for (const [i, id] of ids.entries()) sent.set(id, bodies[i]!)
  await t.consistent()
  const deliveries = await q.take({ limit: 1000 })
  equal(deliveries.length, sent.size, 'deliveries')
  for (const { id, body } of deliveries) {
    const expected = sent.get(id)
    equal(body instanceof Uint8Array, expected instanceof Uint8Array, 'whether the body is bytes')
    equal(body, expected, 'the body')
  }
}

export const bodies: Section = {
  name: 'bodies',
  cases: [
    {
      name: 'strings come back exactly, with lone surrogates, U+0000 and all',
      eventual: true,
      run: (t) => roundTrip(t, STRINGS),
    },
    {
      name: 'bytes come back exactly, also empty ones and parts of a larger buffer',
      eventual: true,
      run: (t) => roundTrip(t, BYTES),
    },
    {
      name: 'strings and bytes in one batch stay what they are',
      eventual: true,
      run: (t) =>
        roundTrip(
          t,
          STRINGS.flatMap((text, i) => [text, BYTES[i % BYTES.length]!]),
        ),
    },
    {
      name: 'a body may be as large as the storage says, up to 1 MB tried',
      eventual: true,
      async run(t) {
        const size = Math.min(t.guarantees.maxBodyBytes, 1024 * 1024)
        const bytes = new Uint8Array(size)
        for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 8)) & 255
        await roundTrip(t, ['x'.repeat(size), 'ü'.repeat(size >> 1), bytes])
      },
    },
    {
      name: 'one large body among small ones harms none',
      eventual: true,
      async run(t) {
        const large = 'L'.repeat(Math.min(t.guarantees.maxBodyBytes, 600_000))
        await roundTrip(t, ['a', large, 'b', '', large.slice(1), Uint8Array.of(1)])
      },
    },
    {
      name: 'headers come back exactly, whatever their names',
      eventual: true,
      async run(t) {
        const q = await t.open()
        const headers: Record<string, string>[] = [
          { a: '1' },
          { a: '', b: ' ', '': 'empty name' },
          { ['__proto__']: 'own', constructor: 'own', toString: 'own', hasOwnProperty: 'own' },
          { ünï: '漢字 😀', 'new\nline': 'a\u0000b' },
          Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`header-${i}`, `${i}`])),
        ]
        const ids = await q.send(...headers.map((one, i) => ({ body: `${i}`, headers: one })), 'none')
        await t.consistent()
        const deliveries = await q.take()
        equal(deliveries.length, ids.length, 'deliveries')
        for (const delivery of deliveries) {
          const expected = headers[ids.indexOf(delivery.id)]
          equal(
            new Map(Object.entries(delivery.headers ?? {})),
            new Map(Object.entries(expected ?? {})),
            'headers',
          )
        }
      },
    },
    {
      name: 'what a message does not have, its delivery does not have',
      eventual: true,
      async run(t) {
        const q = await t.open()
        await q.send('plain')
        await t.consistent()
        const { headers, key, lastError } = await q.takeOne()
        equal([headers, key, lastError], [undefined, undefined, undefined], 'headers, key and last error')
      },
    },
    {
      name: 'the list shows bodies, headers and keys as they were sent',
      needs: [FIFO, ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send(...STRINGS.map((body) => ({ body })), ...BYTES.map((body) => ({ body })))
        await q.send({ body: 'h', headers: { a: 'b' }, key: 'k' })
        const listed = await q.list()
        equal(
          listed.slice(0, -1).map(({ body }) => body),
          [...STRINGS, ...BYTES],
          'bodies',
        )
        const { headers, key } = listed.at(-1)!
        equal([headers, key], [{ a: 'b' }, 'k'], 'headers and key')
      },
    },
    {
      name: 'a message stays the same over a lost lease, a retry, its death and its redrive',
      needs: [ORDERING_KEYS],
      async run(t) {
        for (const [i, body] of [...STRINGS, ...BYTES].entries()) {
          const q = (await t.open(`queue ${i}`)).as('g')
          const headers = { name: `${i}` }
          const [id] = await q.send(
            i % 2 === 0 ? { body, headers } : { body, headers, key: 'k', maxAttempts: 9 },
          )
          const first = await q.takeOne()
          const same = ({ attempt: _a, receipt: _r, lastError: _l, ...rest }: typeof first): unknown => rest
          equal([first.id, first.body, first.headers], [id, body, headers], 'the first delivery')
          await q.retry(first)
          const second = await q.takeOne({ leaseMs: t.s(1) })
          equal(same(second), same(first), 'after a retry')
          await t.advance(t.s(1))
          const third = await q.takeOne()
          equal(same(third), same(first), 'after a lost lease')
          await q.bury(third)
          const [letter] = await q.dead()
          equal([letter!.id, letter!.body, letter!.headers], [id, body, headers], 'as a dead letter')
          await q.retry(letter!)
          equal(same(await q.takeOne()), same(first), 'after its redrive')
        }
      },
    },
    {
      name: 'every group gets the same body',
      eventual: true,
      async run(t) {
        const q = await t.open()
        await q.send({ body: Uint8Array.of(1, 2, 3) })
        await t.consistent()
        const [a] = await q.as('a').take()
        const [b] = await q.as('b').take()
        ok(a !== undefined && b !== undefined, 'a group got nothing')
        equal([a.body, b.body], [Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 3)], 'bodies')
      },
    },
  ],
}
