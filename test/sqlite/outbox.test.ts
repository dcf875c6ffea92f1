import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { SQLiteAdapter } from '../../adapters/sqlite/index.ts'
import { Queue } from '../../src/index.ts'
import { Outbox, type OutboxPayload } from '../../src/outbox/index.ts'
import { serve } from '../outbox/server.ts'

const sender = join(import.meta.dirname, 'support/sender.ts')

/** An outbox on a file, and its server, which takes `yes`. */
async function setUp(): Promise<{ readonly file: string; readonly origin: string; readonly outbox: Outbox }> {
  const { origin } = await serve((response, { body }) =>
    response.writeHead(body.toString() === 'yes' ? 201 : 422).end(`echo ${body.toString()}`),
  )
  const directory = await mkdtemp(join(tmpdir(), 'quayside-outbox-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const file = join(directory, 'outbox.db')
  const queue = new Queue<OutboxPayload>('outbox', { storage: new SQLiteAdapter(file) })
  onTestFinished(() => queue.close())
  return { file, origin, outbox: new Outbox(queue) }
}

test('who waits for the response of a request that another process sends has it, and hears that something has changed', async () => {
  const { file, origin, outbox } = await setUp()
  const ids: string[] = []
  for (const body of ['yes', 'no']) ids.push((await outbox.store(origin, { method: 'POST', body })).id)
  let changes = 0
  const unwatch = outbox.watch(({ type }) => type === 'changed' && changes++)
  const waiting = ids.map((id) => outbox.response(id, { waitMs: 60_000 }))
  await promisify(execFile)(process.execPath, ['--no-warnings', sender, file])
  const told = (await Promise.all(waiting)).map(async (response) => [
    response!.status,
    response!.headers.get('quayside-state'),
    await response!.text(),
  ])
  expect(await Promise.all(told)).toEqual([
    [201, null, 'echo yes'],
    [422, 'parked', 'echo no'],
  ])
  await expect.poll(() => changes).toBeGreaterThan(0)
  unwatch()
})

test('what other processes have sent is told with its status, also of what only they have seen, and once', async () => {
  const { file, origin, outbox } = await setUp()
  for (const body of ['yes', 'no']) await outbox.store(origin, { method: 'POST', body, id: body })
  const told: unknown[] = []
  const unwatch = outbox.watch(({ type, id, status }) => {
    if (type !== 'changed') told.push(`${type} ${id === 'yes' || id === 'no' ? id : 'elsewhere'} ${status}`)
  })
  await outbox.list()
  for (let i = 1; i <= 3; i++) {
    await promisify(execFile)(process.execPath, ['--no-warnings', sender, file, origin])
    await expect.poll(() => told.length).toBeGreaterThanOrEqual(2 + 3 * i)
  }
  unwatch()
  const expected = [
    'accepted yes 201',
    'parked no 422',
    ...Array.from({ length: 3 }, () => [
      'accepted elsewhere 201',
      'accepted elsewhere 201',
      'parked elsewhere 422',
    ]).flat(),
  ]
  const sorted = (all: readonly unknown[]): unknown[] =>
    all.map(String).toSorted((a, b) => a.localeCompare(b))
  expect(sorted(told)).toEqual(sorted(expected))
})
