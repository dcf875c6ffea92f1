import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Locator } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Downstream, startDownstream } from '../../demo/edge/local/downstream.ts'
import { run } from '../../demo/edge/local/run.ts'
import { sendForms } from '../../demo/edge/local/visitors.ts'
import { type LocalWorker, startWorker } from '../../demo/edge/local/wrangler.ts'
import { violations } from '../browser/support/axe.ts'
import { launchChromium } from '../browser/support/browsers.ts'
import { ROOT } from '../support/sources.ts'

const STATUS_TOKEN = 'harbour'

let downstream: Downstream
let worker: LocalWorker

beforeAll(async () => {
  downstream = await startDownstream(0.1)
  worker = await startWorker({ DOWNSTREAM: downstream.url, STATUS_TOKEN })
})
afterAll(async () => {
  await worker?.close()
  downstream?.close()
})

const form = (fields: Record<string, string>): FormData => {
  const data = new FormData()
  for (const [name, value] of Object.entries(fields)) data.set(name, value)
  return data
}
const GOOD = { name: 'Ada', email: 'ada@example.com', text: 'Hello' }

describe('the Worker of demo/edge, in workerd', () => {
  test('delivers every form once from a Durable Object, without a poke', async () => {
    const result = await run(worker, downstream, 'durable-object', 200, async () => {})
    expect(result).toMatchObject({ enqueued: 200, delivered: 200, duplicates: 0, lost: 0 })
    expect(result.refused).toBeGreaterThan(0)
  })

  test('delivers every form once from KV, drained by the cron trigger', async () => {
    const result = await run(worker, downstream, 'kv', 200, () => worker.cron())
    expect(result).toMatchObject({ enqueued: 200, delivered: 200, duplicates: 0, lost: 0 })
    const spent = await worker.call<Record<string, number>>('kv', 'spent')
    expect(spent['writes']).toBeGreaterThan(0)
    expect(spent['writes']).toBeLessThan(200)
  })

  test.each([
    ['a form without a name', { ...GOOD, name: ' ' }, 422, 'your name'],
    ['an address that is none', { ...GOOD, email: 'ada' }, 422, '"ada" is no email address'],
    ['a message that is too long', { ...GOOD, text: 'x'.repeat(5001) }, 422, '5000 characters'],
  ])('refuses %s', async (_, fields, status, text) => {
    const response = await fetch(`${worker.origin}/forms/kv`, { method: 'POST', body: form(fields) })
    const { error } = (await response.json()) as { error: string }
    expect(response.status).toBe(status)
    expect(error).toContain(text)
  })

  test('refuses what is no form, and paths and methods that it does not have', async () => {
    const statusOf = async (path: string, init?: RequestInit): Promise<number> =>
      (await fetch(worker.origin + path, init)).status
    expect(await statusOf('/forms/kv', { method: 'POST', body: 'hello' })).toBe(422)
    expect(await statusOf('/forms/kv')).toBe(405)
    expect(await statusOf('/forms/toString', { method: 'POST', body: form(GOOD) })).toBe(404)
    expect(await statusOf('/nothing')).toBe(404)
    for (const path of ['/status', '/status/kv', '/status/durable-object/watch'])
      expect(await statusOf(path)).toBe(401)
    const authorization = `Basic ${btoa('x:wrong')}`
    expect(await statusOf('/status', { headers: { authorization } })).toBe(401)
  })

  test('shows both queues in the inspector, live, to those who have the password', async () => {
    const context = await launchChromium()
    try {
      await context.setHTTPCredentials({ username: 'anybody', password: STATUS_TOKEN })
      const page = await context.newPage()
      await page.goto(`${worker.origin}/status`)
      const group = (id: string): Locator =>
        page.locator(`quayside-inspector#${id}`).getByRole('region', { name: 'Group crm' })
      await group('kv').waitFor()
      await expect.poll(() => group('durable-object').innerText()).not.toContain('Visitor')
      downstream.close()
      await sendForms(`${worker.origin}/forms/durable-object`, 1, 1)
      await expect.poll(() => group('durable-object').innerText()).toContain('Visitor')
      expect(await violations(page)).toEqual([])
    } finally {
      await context.close()
    }
  })

  test('would be deployed as it is', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'quayside-edge-'))
    try {
      const { stdout } = await promisify(execFile)('wrangler', ['deploy', '--dry-run', '--outdir', folder], {
        cwd: join(ROOT, 'demo/edge'),
        env: { ...process.env, CI: '1', WRANGLER_SEND_METRICS: 'false' },
      })
      expect(stdout).toContain('env.TASKS')
      expect(stdout).toContain('env.QUEUE (FormQueue)')
      expect(stdout).toContain('--dry-run: exiting now')
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
