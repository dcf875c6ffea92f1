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

test('who waits for the response of a request that another process sends has it, and hears that something has changed', async () => {
  const { origin } = await serve((response, { body }) =>
    response.writeHead(body.toString() === 'yes' ? 201 : 422).end(`echo ${body.toString()}`),
  )
  const directory = await mkdtemp(join(tmpdir(), 'quayside-outbox-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const file = join(directory, 'outbox.db')
  const queue = new Queue<OutboxPayload>('outbox', { storage: new SQLiteAdapter(file) })
  onTestFinished(() => queue.close())
  const outbox = new Outbox(queue)
  const ids: string[] = []
  for (const body of ['yes', 'no']) ids.push((await outbox.store(origin, { method: 'POST', body })).id)
  let changes = 0
  const unwatch = outbox.watch(({ type }) => type === 'changed' && changes++)
  const waiting = ids.map((id) => outbox.response(id, { waitMs: 60_000 }))
  const sender = join(import.meta.dirname, 'support/sender.ts')
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
