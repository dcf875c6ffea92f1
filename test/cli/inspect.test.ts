import { request } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { SQLiteAdapter } from '../../adapters/sqlite/index.ts'
import { Queue } from '../../src/index.ts'
import { temporaryDirectory } from '../fs/temporary.ts'
import { quayside, started } from './quayside.ts'

/** Opens the inspector of a target. Answers with its address. */
async function inspect(...words: readonly string[]): Promise<string> {
  const { line, stop } = await started(['inspect', ...words])
  onTestFinished(async () => expect(await stop()).toBe(0))
  expect(line).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{20,}\/$/)
  return line
}

async function ask(address: string, question: unknown): Promise<{ status: number; body: string }> {
  const response = await fetch(address, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(question),
  })
  return { status: response.status, body: await response.text() }
}

test('a directory is looked at while its owner goes on, and taken with --alone', async () => {
  const directory = temporaryDirectory()
  const queue = new Queue('orders', { storage: new NodeFsAdapter(directory) })
  await queue.createProducer().send({ order: 1 }, { id: 'a' })
  const address = await inspect(directory)
  expect((await ask(address, {})).body).toBe('{"value":{"names":["orders"],"readOnly":true}}')
  const list = { queue: 'orders', verb: 'list', args: [{}] }
  expect((await ask(address, list)).body).toContain('"payload":{"order":1}')
  await queue.createProducer().send({ order: 2 })
  expect((await ask(address, list)).body).toContain('"payload":{"order":2}')
  expect((await ask(address, { queue: 'orders', verb: 'cancel', args: [['a']] })).status).toBe(403)
  await queue.close()

  const alone = await inspect(directory, '--alone')
  expect((await ask(alone, { queue: 'orders', verb: 'cancel', args: [['a']] })).body).toBe('{"value":[true]}')
})

test('a SQLite file is changed beside others, or looked at; and nobody without the address gets in', async () => {
  const file = `${temporaryDirectory()}/app.db`
  const queue = new Queue('orders', { storage: new SQLiteAdapter(file) })
  onTestFinished(() => queue.close())
  await queue.createProducer().send({ order: 1 }, { id: 'a' })
  const looking = await inspect(file, '--read-only')
  const drop = { queue: 'orders', verb: 'cancel', args: [['a']] }
  expect((await ask(looking, drop)).status).toBe(403)
  const address = await inspect(file)
  expect(await (await fetch(address)).text()).toContain('<nav')
  const { origin, port, pathname } = new URL(address)
  for (const path of [
    '/',
    '/favicon.ico',
    pathname.slice(0, -2),
    `${pathname}x`,
    `${pathname.slice(0, -3)}x//`,
  ])
    expect((await fetch(origin + path)).status, path).toBe(403)
  // The name of another site that leads here.
  const rebound = await new Promise<number | undefined>((resolve) =>
    request(
      { port, host: '127.0.0.1', path: pathname, headers: { host: `evil.example:${port}` } },
      (response) => resolve(response.resume().statusCode),
    ).end(),
  )
  expect(rebound).toBe(403)
  expect((await ask(address, drop)).body).toBe('{"value":[true]}')
  expect((await queue.list()).messages).toEqual([])
  expect((await quayside(['inspect', file, '--port', port])).err).toContain(
    `port ${port} cannot be listened on`,
  )
})

test('says what is wrong with the command line', async () => {
  const directory = temporaryDirectory()
  for (const [words, code, told] of [
    [[`${directory}/none.db`], 1, 'there are no queues in'],
    [[directory, '--port', '70000'], 2, '--port is 65535 at most'],
    [[directory, '--alone', '--read-only'], 2, '--alone is there to change something'],
    [['ftp://host'], 2, 'neither a directory nor'],
  ] as const) {
    const ended = await quayside(['inspect', ...words])
    expect(ended.code, ended.err).toBe(code)
    expect(ended.err).toContain(told)
  }
})
