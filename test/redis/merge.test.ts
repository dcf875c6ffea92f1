import { expect, test } from 'vitest'
import { MergedClaims } from '../../adapters/redis/merge.ts'
import type { ClaimRequest, ClaimResult, Delivery } from '../../src/storage.ts'
import { type Deferred, defer } from '../support/set-up.ts'

interface Sent {
  readonly request: ClaimRequest
  readonly answer: Deferred<ClaimResult>
}

function setUp(): { claims: MergedClaims; sent: Sent[] } {
  const sent: Sent[] = []
  const claims = new MergedClaims((request) => {
    const answer = defer<ClaimResult>()
    sent.push({ request, answer })
    return answer.promise
  })
  return { claims, sent }
}

function request(limit: number, more: Partial<ClaimRequest> = {}): ClaimRequest {
  return { group: 'g', limit, leaseMs: 1000, maxAttempts: 3, ...more }
}

function deliveries(...bodies: readonly string[]): Delivery[] {
  return bodies.map((body) => ({ receipt: body, id: body, body, timestamp: 0, attempt: 1, maxAttempts: 3 }))
}

const acks = (...receipts: readonly string[]): { receipt: string; kind: 'ack' }[] =>
  receipts.map((receipt) => ({ receipt, kind: 'ack' }))

/** Takes all the ways there are at a time. */
function occupy(claims: MergedClaims): readonly Promise<ClaimResult>[] {
  return Array.from({ length: 4 }, () => claims.claim(request(1)))
}

test('claims that come while others are under way go together, and share what comes', async () => {
  const { claims, sent } = setUp()
  void occupy(claims)
  expect(sent.map((one) => one.request.limit)).toEqual([1, 1, 1, 1])
  const waiting = [
    claims.claim(request(2, { settle: acks('x') })),
    claims.claim(request(3)),
    claims.claim(request(1, { settle: acks('y', 'z') })),
    claims.claim(request(5)),
  ]
  expect(sent).toHaveLength(4)
  sent[0]!.answer.resolve({ deliveries: [] })
  await expect.poll(() => sent.length).toBe(5)
  expect(sent[4]!.request).toMatchObject({ group: 'g', limit: 11, settle: acks('x', 'y', 'z') })
  const settled = [{ status: 'settled' }, { status: 'stale' }, { status: 'settled' }] as const
  sent[4]!.answer.resolve({ deliveries: deliveries('a', 'b', 'c', 'd'), nextInMs: 70, settled })
  const results = await Promise.all(waiting)
  expect(results.map((one) => one.deliveries.map(({ body }) => body))).toEqual([
    ['a', 'b'],
    ['c', 'd'],
    [],
    [],
  ])
  expect(results.map((one) => one.settled)).toEqual([
    [{ status: 'settled' }],
    undefined,
    [{ status: 'stale' }, { status: 'settled' }],
    undefined,
  ])
  expect(results.map(({ nextInMs }) => nextInMs)).toEqual([70, 70, 70, 70])
})

test('claims of another kind do not wait, and are not mixed up with them', () => {
  const { claims, sent } = setUp()
  void occupy(claims)
  for (const other of [{ group: 'h' }, { leaseMs: 5 }, { maxAttempts: 9 }, { from: 'latest' as const }])
    void claims.claim(request(7, other))
  expect(sent.map((one) => one.request.limit)).toEqual([1, 1, 1, 1, 7, 7, 7, 7])
})

test('what a claim rejects with, all that went together reject with; later ones go on', async () => {
  const { claims, sent } = setUp()
  const first = occupy(claims)
  const waiting = [claims.claim(request(1)), claims.claim(request(1))]
  sent[0]!.answer.reject(new Error('first'))
  await expect(first[0]).rejects.toThrow('first')
  await expect.poll(() => sent.length).toBe(5)
  sent[4]!.answer.reject(new Error('second'))
  for (const one of waiting) await expect(one).rejects.toThrow('second')
  const later = claims.claim(request(1))
  sent[5]!.answer.resolve({ deliveries: deliveries('a') })
  expect((await later).deliveries).toHaveLength(1)
})
