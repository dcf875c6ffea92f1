import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { helpOf } from '../../cli/help.ts'
import { COMMANDS } from '../../cli/run.ts'
import { escapeUnsafe, widthOf } from '../../cli/width.ts'
import { Queue } from '../../src/index.ts'
import { temporaryDirectory } from '../fs/temporary.ts'
import { jsonLines, quayside, works } from './quayside.ts'

const EVIL = 'evil \u001b[2J\u009b31m\u202etext\r\nnext'

/** A directory with messages in every state, and texts that tables find hard. */
async function filled(): Promise<string> {
  const directory = temporaryDirectory()
  const storage = new NodeFsAdapter(directory, { durability: 'os' })
  const queue = new Queue<unknown>('orders', { storage })
  const producer = queue.createProducer()
  const retry = { maxAttempts: 3, initialMs: 600_000, maxMs: 600_000 }
  const billing = queue.createConsumer('billing', { retry, leaseMs: 600_000 })
  await billing.join()
  await queue.createConsumer('audit').join()
  await producer.send({ sku: 'acked' })
  await (await billing.receive())!.ack()
  await producer.send('rejected', { id: 'dead-1', headers: { source: EVIL } })
  await (await billing.receive())!.reject({ reason: EVIL })
  await producer.send('retried', { id: 'retried', key: 'customer-7', maxAttempts: 5 })
  await (await billing.receive())!.nack({ reason: 'connection refused\n  at line 2' })
  await producer.send('leased', { id: 'leased' })
  await billing.receive()
  await producer.send('blocked', { key: 'customer-7', id: 'blocked' })
  await producer.send(new Uint8Array([0, 1, 254, 255]), { id: 'bytes' })
  await producer.send('日本語のお茶セット 🍵👩‍👩‍👧 é'.repeat(9), {
    id: '長い'.repeat(40),
    key: 'ключ'.repeat(20),
  })
  await producer.send(EVIL, { id: 'i'.repeat(250) })
  await producer.send('later', { delayMs: 3_600_000, id: 'later' })
  await producer.send({ big: 1 }, { id: 'json' })
  await producer.send('in a lane', { id: 'parked', lane: EVIL })
  const parker = queue.createConsumer('billing', { only: [EVIL], leaseMs: 600_000 })
  await (await parker.receive())!.park({ reason: EVIL, data: { why: EVIL } })
  await queue.hold({ lane: EVIL, reason: EVIL })
  await billing.receive() // It passes the one that is blocked, and takes the next.
  await queue.close()
  await new Queue('mails', { storage }).createProducer().send('a')
  await storage.close()
  return directory
}

describe('what is shown', () => {
  test.each([40, 100])(
    'is no wider than %d cells, and has no sign that moves a terminal',
    async (columns) => {
      const directory = await filled()
      const billing = ['orders', '--group', 'billing']
      for (const words of [
        ['stats', directory],
        ['list', directory, ...billing],
        ['list', directory, 'orders', '--group', 'audit'],
        ['dead', directory, ...billing],
        ['lanes', directory, ...billing],
      ]) {
        const out = await works(words, { columns })
        const lines = out.split('\n')
        // Numbers are not cut, and so there is a narrowest table.
        for (const line of lines) expect(widthOf(line), line).toBeLessThanOrEqual(Math.max(columns, 96))
        // oxlint-disable-next-line no-control-regex -- These are what must not be there.
        expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/)
      }
    },
  )

  test('stats tells of every state, and of queues without a group', async () => {
    const directory = await filled()
    const out = await works(['stats', directory])
    expect(out).toMatch(/^orders: 11 messages, .*, 11 sent, oldest \d+ s$/m)
    expect(out).toMatch(/^GROUP +READY +LEASED +DELAYED +BLOCKED +PARKED +DEAD +ACKED +FAILED +OLDEST/m)
    expect(out).toMatch(/^billing +3 +2 +2 +1 +1 +1 +1 +2 /m)
    expect(out).toMatch(/█+▓+▒+░+▚+✕+$/m)
    expect(out).toMatch(/^mails: 1 message, .*\nno group has received from it yet$/m)
    const counts = jsonLines(await works(['stats', directory, '--json']))
    expect(counts.map(({ queue, sent }) => [queue, sent])).toEqual([
      ['orders', 11],
      ['mails', 1],
    ])
  })

  test('list, dead and peek show messages as they are', async () => {
    const directory = await filled()
    const billing = ['orders', '--group', 'billing']
    const all = jsonLines(await works(['list', directory, ...billing, '--json']))
    const stateOf = Object.fromEntries(all.map(({ id, state }) => [id, state]))
    expect(stateOf).toMatchObject({
      leased: 'leased',
      retried: 'delayed',
      later: 'delayed',
      json: 'ready',
      blocked: 'blocked',
    })
    expect(all.find(({ id }) => id === 'bytes')).toMatchObject({ base64: 'AAH+/w==' })
    expect(all.find(({ id }) => id === 'json')).toMatchObject({ payload: { big: 1 } })
    expect(await works(['list', directory, ...billing, '--state', 'leased'])).toMatch(
      /^leased +leased .* leased$/m,
    )
    expect(await works(['list', directory, ...billing, '--limit', '2'])).toContain(
      'the first 2; --limit shows more',
    )

    const letters = jsonLines(await works(['dead', directory, ...billing, '--json']))
    expect(letters).toMatchObject([
      { id: 'dead-1', reason: 'rejected', lastError: EVIL, payload: 'rejected' },
    ])
    expect(await works(['dead', directory, 'mails'])).toBe('no dead letters\n')

    const peeked = await works([
      'peek',
      directory,
      ...billing.slice(0, 1),
      'retried',
      'json',
      ...billing.slice(1),
    ])
    expect(peeked).toMatch(/^id {6}retried$/m)
    expect(peeked).toMatch(/^state {3}delayed$/m)
    expect(peeked).toMatch(/^tries {3}1 of 5$/m)
    expect(peeked).toContain('{\n  "big": 1\n}\n')
    const nothing = await quayside(['peek', directory, 'orders', 'nope', '--group', 'billing'])
    expect(nothing).toMatchObject({ code: 1, err: 'quayside: billing has nothing to do with nope\n' })
    const before = jsonLines(await works(['stats', directory, '--json']))[0]!['groups']
    await works(['peek', directory, 'orders', '--group', 'audit'])
    const after = jsonLines(await works(['stats', directory, '--json']))[0]!['groups']
    expect(JSON.stringify(after).replaceAll(/"oldestMs":\d+/g, '')).toBe(
      JSON.stringify(before).replaceAll(/"oldestMs":\d+/g, ''),
    )
  })
})

describe('what is changed', () => {
  test('send takes payloads, options and lines, and says what was stored', async () => {
    const directory = join(temporaryDirectory(), 'new', 'data')
    const options = ['--id', 'one', '--key', 'k', '--header', 'a=b=c', '--header', 'd=e', '--attempts', '7']
    expect(await works(['send', directory, 'orders', '{"a":1}', ...options])).toBe('sent 1 message\n')
    expect(await works(['send', directory, 'orders', '{"a":2}', '--id', 'one'])).toBe(
      'sent 0 messages; 1 duplicate not stored\n',
    )
    expect(await works(['send', directory, 'orders', '42', 'ada@example.com', '--delay', '2h'])).toBe(
      'sent 2 messages\n',
    )
    const lines = Array.from({ length: 2500 }, (_, i) => `{"n":${i}}`).join('\r\n\n')
    expect(await works(['send', directory, 'bulk'], { input: lines })).toBe('sent 2,500 messages\n')
    expect(jsonLines(await works(['send', directory, 'bulk', '7', '--text', '--json']))).toMatchObject([
      { status: 'stored' },
    ])

    const [one] = jsonLines(await works(['list', directory, 'orders', '--state', 'ready', '--json']))
    expect(one).toMatchObject({
      id: 'one',
      key: 'k',
      headers: { a: 'b=c', d: 'e' },
      maxAttempts: 7,
      payload: { a: 1 },
    })
    const later = jsonLines(await works(['list', directory, 'orders', '--state', 'delayed', '--json']))
    expect(later.map(({ payload }) => payload)).toEqual([42, 'ada@example.com'])
    const bulk = jsonLines(await works(['list', directory, 'bulk', '--json']))
    expect(bulk.map(({ payload }) => payload)).toEqual([
      ...Array.from({ length: 2500 }, (_, n) => ({ n })),
      '7',
    ])
  })

  test('redrive delivers dead letters again, and says which ids are none', async () => {
    const directory = await filled()
    const group = ['--group', 'billing']
    const { code, err, out } = await quayside(['redrive', directory, 'orders', 'dead-1', 'json', ...group])
    expect({ code, err, out }).toEqual({
      code: 1,
      err: 'quayside: 1 of the ids are no dead letters of billing\n',
      out: 'redriven: 1 message\n',
    })
    expect(jsonLines(await works(['redrive', directory, 'orders', ...group, '--json']))).toEqual([
      { redriven: 0 },
    ])
    expect(await works(['dead', directory, 'orders', ...group])).toBe('no dead letters\n')
  })

  test('dead letters are counted by what they died of, and delivered again by it', async () => {
    const directory = temporaryDirectory()
    const storage = new NodeFsAdapter(directory, { durability: 'os' })
    const queue = new Queue('orders', { storage })
    const producer = queue.createProducer()
    const billing = queue.createConsumer('billing')
    const errors = [
      'connect ECONNREFUSED 10.0.0.7:5432',
      'connect ECONNREFUSED 10.0.0.12:5433\n  at line 3',
      'no order 0190f3c2-7d1a-7000-8000-0123456789ab',
      'connect ECONNREFUSED 10.0.0.7:5432',
      EVIL,
    ]
    for (const [n, reason] of errors.entries()) {
      await producer.send(n, { id: `m${n}`, lane: n === 3 ? 'gold' : undefined })
      await (await billing.receive())!.reject({ reason })
    }
    await storage.close()

    const causes = jsonLines(await works(['dead', directory, '--by', 'error', '--json']))
    expect(causes.map(({ error, count }) => [count, error])).toEqual([
      [3, 'connect ECONNREFUSED #.#.#.#:#'],
      [1, EVIL.split('\r')[0]!.replaceAll(/\d+/g, '#')],
      [1, 'no order #'],
    ])
    expect(causes[0]).toMatchObject({ example: 'm3', lastAt: expect.any(Number) as number })
    const shown = await works(['dead', directory, '--by', 'error'], { columns: 80 })
    expect(shown).toMatch(/^LETTERS +LAST +FOR EXAMPLE +ERROR\n +3 +\d+ s +m3 +connect ECONNREFUSED #/)
    // oxlint-disable-next-line no-control-regex -- These are what must not be there.
    expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/)

    const redrive = ['redrive', directory, 'orders']
    const where = '--where'
    expect(await works([...redrive, where, 'error=ECONNREFUSED', where, 'lane=gold'])).toBe(
      'redriven: 1 message\n',
    )
    expect(await works([...redrive, where, 'error=ECONNREFUSED'])).toBe('redriven: 2 messages\n')
    expect(await works([...redrive, where, 'error=nobody says that'])).toBe('redriven: 0 messages\n')
    expect(await works([...redrive, where, 'reason=rejected'])).toBe('redriven: 2 messages\n')
    for (const wrong of [
      [where, 'colour=red'],
      [where, 'error'],
      [where, 'error=x', 'm1'],
      [where, 'toString=x'],
    ])
      expect(await quayside([...redrive, ...wrong])).toMatchObject({ code: 2 })
    expect(await quayside(['dead', directory, '--by', 'key'])).toMatchObject({ code: 2 })
  })

  test('a target may be in a variable, which no list of processes shows', async () => {
    const directory = await filled()
    const env = { QUAYSIDE_URL: directory, SECRET_URL: 'redis://user:hunter2@127.0.0.1:1', EMPTY: '' }
    expect(await works(['list', 'env:QUAYSIDE_URL', 'mails'], { env })).toMatch(/^STATE/)
    const unreachable = await quayside(['stats', 'env:SECRET_URL'], { env })
    expect(unreachable.code).toBe(1)
    expect(unreachable.err).not.toContain('hunter2')
    for (const name of ['EMPTY', 'NOT_THERE'])
      expect(await quayside(['stats', `env:${name}`], { env })).toEqual({
        code: 2,
        out: '',
        err: `quayside: env:${name}: there is no variable ${name}, or nothing in it\n`,
      })
  })

  test('JSON on a terminal has nothing that the terminal obeys, and is the same value', () => {
    const text = escapeUnsafe(JSON.stringify({ text: EVIL }))
    expect(JSON.parse(text)).toEqual({ text: EVIL })
    // oxlint-disable-next-line no-control-regex -- These are what must not be there.
    expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/)
  })

  test('purge deletes nothing unless it was confirmed', async () => {
    const directory = await filled()
    const before = await works(['export', directory])
    const refused = await quayside(['purge', directory, 'orders'], { input: 'y\n' })
    expect(refused.code).toBe(3)
    expect(refused.err).toMatch(
      /^quayside: This deletes 11 messages and 1 dead letter of orders in .* add --yes .*\n$/,
    )
    const again = await works(['export', directory])
    expect(jsonLines(again).length).toBe(jsonLines(before).length)

    const dead = ['purge', directory, 'orders', '--dead', '--group', 'billing']
    expect((await quayside(dead)).code).toBe(3)
    expect(await works([...dead, '--yes'])).toBe('deleted 1 dead letter\n')
    expect(jsonLines(await works(['purge', directory, 'orders', '--yes', '--json']))).toEqual([
      { deleted: 11 },
    ])
    expect(await works(['list', directory, 'orders', '--group', 'audit'])).toBe('nothing\n')
  })
})

describe('damage', () => {
  test('verify finds it, and salvage keeps the rest', async () => {
    const directory = await filled()
    expect(await works(['verify', directory])).toMatch(
      / is sound: 1 file, \d+ frames, .* 2 queues, 12 messages\n$/,
    )
    const file = join(directory, 'journal-0000000001.qsj')
    const bytes = readFileSync(file)
    bytes[bytes.indexOf('"big"')]! ^= 1
    writeFileSync(file, bytes)

    const found = await quayside(['verify', directory])
    expect(found.code).toBe(4)
    expect(found.out).toContain('is damaged at byte')
    expect(found.out).toMatch(/^unreadable: .*journal-0000000001\.qsj, \d+ B from byte \d+ on$/m)
    expect(jsonLines((await quayside(['verify', directory, '--json'])).out)).toMatchObject([
      { sound: false, lost: [{ file }] },
    ])
    const unread = await quayside(['stats', directory])
    expect([unread.code, unread.out]).toEqual([1, ''])
    expect(unread.err).toMatch(/^quayside: .* is damaged at byte .*\n$/)
    expect(readFileSync(file).equals(bytes)).toBe(true)

    const copy = join(directory, 'salvaged')
    const salvaged = await quayside(['salvage', directory, copy])
    expect(salvaged.code).toBe(4)
    expect(salvaged.out).toContain('all but 1 place\n')
    expect(await works(['verify', copy])).toContain('is sound')
    const ids = jsonLines(await works(['list', copy, 'orders', '--group', 'billing', '--json'])).map(
      ({ id }) => id,
    )
    expect(ids).toContain('blocked')
    expect(ids).not.toContain('json')
    expect((await quayside(['salvage', copy, join(directory, 'again')])).code).toBe(0)
  })
})

describe('mistakes', () => {
  const wrong: readonly (readonly [words: string[], code: number, text: RegExp])[] = [
    [['bogus'], 2, /there is no command bogus/],
    [['list'], 2, /it is quayside list TARGET \[QUEUE\]/],
    [['list', '.', '--nope'], 2, /Unknown option '--nope'/],
    [['list', '.', '--limit', '0'], 2, /--limit takes a whole number, 1 or more, not "0"/],
    [['list', '.', '--state', 'gone'], 2, /--state takes one of ready, leased/],
    [['list', '/nowhere/at/all'], 1, /no journal in \/nowhere\/at\/all/],
    [['purge', '/nowhere/at/all', 'q', '--yes'], 1, /no journal in \/nowhere\/at\/all/],
    [['send', '/nowhere', 'q', 'x', '--delay', 'soon'], 2, /--delay takes a duration such as/],
    [['send', '/nowhere', 'q', 'x', 'y', '--id', 'one'], 2, /--id is for one payload, and there are 2/],
    [['send', '/nowhere', 'q', 'x', '--header', 'novalue'], 2, /--header takes NAME=VALUE/],
    [['stats', 'gopher://host'], 2, /gopher:\/\/host is neither a directory nor/],
    [['salvage', '/nowhere/at/all', '/nowhere/else'], 1, /\/nowhere\/at\/all/],
  ]
  test.each(wrong)('%j ends with %d, and one line says why', async (words, code, text) => {
    const ended = await quayside(words)
    expect([ended.code, ended.out]).toEqual([code, ''])
    expect(ended.err).toMatch(/^quayside: [^\n]+\n$/)
    expect(ended.err).toMatch(text)
    expect(ended.err).not.toMatch(/\n\s+at /)
  })

  test('a queue or group that is not there, or not named where there are several', async () => {
    const directory = await filled()
    const before = readdirSync(directory)
    const errorOf = async (...words: readonly string[]): Promise<unknown> => {
      const { code, err } = await quayside(words)
      return [code, err.replaceAll(directory, 'DIRECTORY')]
    }
    expect(await errorOf('list', directory)).toEqual([
      2,
      'quayside: which queue of DIRECTORY? it has orders, mails\n',
    ])
    expect(await errorOf('purge', directory, 'ordrs', '--yes')).toEqual([
      1,
      'quayside: there is no queue ordrs in DIRECTORY: it has orders, mails\n',
    ])
    expect(await errorOf('dead', directory, 'orders')).toEqual([
      2,
      'quayside: which group? Add --group: it has audit, billing\n',
    ])
    expect(await errorOf('redrive', directory, 'orders', '--group', 'bill')).toEqual([
      1,
      'quayside: the queue has no group bill: it has audit, billing\n',
    ])
    expect(readdirSync(directory)).toEqual(before)
  })

  test('a directory that is mistyped is not made', async () => {
    const directory = join(temporaryDirectory(), 'dta')
    for (const words of [
      ['purge', directory, 'q', '--yes'],
      ['redrive', directory, 'q'],
      ['stats', directory],
    ])
      expect((await quayside(words)).code).toBe(1)
    expect(existsSync(directory)).toBe(false)
  })
})

describe('help', () => {
  test('tells of every command, and of the exit codes', async () => {
    const out = await works(['--help'])
    for (const { name, summary } of COMMANDS)
      expect(out).toMatch(new RegExp(`^  ${name} +${summary.slice(0, 10)}`, 'm'))
    for (const code of [0, 1, 2, 3, 4]) expect(out).toMatch(new RegExp(`^  ${code}  `, 'm'))
    expect((await quayside([])).code).toBe(2)
    expect(await works(['stats', '--help'])).toBe(helpOf(COMMANDS[0]!))
    expect(await works(['--version'])).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  test.each(COMMANDS.map(({ name }) => name))('of %s tells of its options, with examples', (name) => {
    const command = COMMANDS.find((one) => one.name === name)!
    const { options, examples } = command
    const out = helpOf(command)
    for (const option of Object.keys(options)) expect(out).toContain(`  --${option}`)
    expect(examples.length).toBeGreaterThan(0)
    for (const [line] of examples) expect(out).toContain(`quayside ${line}`)
    for (const line of out.split('\n')) expect(widthOf(line), line).toBeLessThanOrEqual(120)
  })
})
