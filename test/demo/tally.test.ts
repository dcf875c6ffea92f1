import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe as suite, expect, test } from 'vitest'
import { lineId, record } from '../../demo/node/lines.ts'
import { type Result, describe, succeeded } from '../../demo/node/summary.ts'
import { tally } from '../../demo/node/tally.ts'

const LINES = ['first', '', 'third\twith a tab']
const ALL = LINES.map((text, i) => record(lineId(i), text))

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quayside-tally-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function tallyOf(records: readonly string[]): ReturnType<typeof tally> {
  const file = join(folder, 'records.log')
  writeFileSync(file, records.join(''))
  return tally(LINES, file)
}

suite('tally', () => {
  test('finds what is there, in any order and more than once', () => {
    const { found, repeated, missing, altered, strange } = tallyOf([ALL[2]!, ...ALL, ALL[2]!])
    expect({ found, repeated, missing, altered, strange }).toEqual({
      found: 3,
      repeated: 1,
      missing: [],
      altered: [],
      strange: [],
    })
  })

  test('finds what is missing, altered, or from nowhere', () => {
    expect(tallyOf([ALL[0]!, record('line-000002', 'not blank'), record('line-000004', 'x')])).toEqual({
      found: 1,
      repeated: 0,
      missing: ['line-000002', 'line-000003'],
      altered: ['line-000002'],
      strange: ['line-000004'],
    })
  })

  test('does not take half a line for a whole one', () => {
    expect(tallyOf([ALL[0]!, ALL[1]!, ALL[2]!.slice(0, -1)]).missing).toEqual(['line-000003'])
  })
})

suite('summary', () => {
  const good = (): Result => ({
    lines: 3,
    client: { accepted: 3, repeated: 0, duplicates: 0, refused: [], done: true },
    stats: { stored: 3, waiting: 0, unaudited: 0, retried: 0, dead: 0 },
    seconds: 1,
    deadLetters: [],
    deliveries: tallyOf(ALL),
    audit: tallyOf(ALL),
  })

  test('is content with every line at both ends', () => {
    expect(succeeded(good())).toBe(true)
  })

  test.each<[string, () => Partial<Result>]>([
    ['LOST on the way downstream: line-000003', () => ({ deliveries: tallyOf(ALL.slice(0, 2)) })],
    ['MISSING in the audit: line-000001, line-000002, line-000003', () => ({ audit: tallyOf([]) })],
    ['altered in the audit', () => ({ audit: tallyOf([...ALL, record(lineId(0), 'x')]) })],
    ['never sent', () => ({ deliveries: tallyOf([...ALL, record('x', 'x')]) })],
    [
      'line-000002: exhausted',
      () => ({ stats: { ...good().stats, dead: 1 }, deadLetters: ['line-000002: exhausted'] }),
    ],
    ['refused by the ingest server: a: 413', () => ({ client: { ...good().client, refused: ['a: 413'] } })],
    ['only 2 of 3 lines were sent', () => ({ client: { ...good().client, accepted: 2 } })],
  ])('complains: %s', (text, change) => {
    const result = { ...good(), ...change() }
    expect(succeeded(result)).toBe(false)
    expect(describe(result)).toContain(text)
  })
})
