import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { type Worker, startWorker } from '../durable-object/support/workerd.ts'
import { ROOT } from '../support/sources.ts'

// The Workers of the pages, in workerd: what is posted to them is stored, and is done when a cron trigger or an alarm comes.

/** The `js` snippets of a page. */
function allOf(page: string): string[] {
  const text = readFileSync(join(ROOT, 'docs', page), 'utf8')
  return [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code!)
}

/** Those that import something: the others stand beside them. */
const snippetsOf = (page: string): string[] => allOf(page).filter((code) => /^import /m.test(code))

/** One that says no imports, with those that it needs. An hour is too long to wait: what comes hourly comes each second. */
function withImports(page: string, part: string): string {
  const found = allOf(page).filter((code) => code.includes(part))
  expect(found.length).toBe(1)
  return `
import { Hono } from 'hono'
import { Queue } from 'quayside'
import { CloudflareKVAdapter } from 'quayside/cloudflare-kv'
import { DurableObjectAdapter, QueueObject } from 'quayside/durable-object'
import { drainSchedules, fireSchedules, schedule } from 'quayside/schedule'
export { QueueObject }
${found[0]!.replace("{ cron: '0 * * * *' }", '{ everyMs: 1000 }')}`
}

/** What the snippets call is counted here; `/cron` calls the first one as a cron trigger does, and all answers with what was done. */
const AROUND = `
import page from './0.js'
const done = []
globalThis.callDownstream = globalThis.sendMail = async (mail) => void done.push(mail.payload ?? mail)
globalThis.work = async (given) => void done.push(...[given].flat().map(({ payload }) => payload))
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url)
    if (pathname === '/send') return await page.fetch(request, env)
    if (pathname === '/cron') await page.scheduled({ scheduledTime: Date.now() }, env)
    return Response.json(done)
  },
}
`

async function start(
  snippets: readonly string[],
  classes: Record<string, string>,
  others: Record<string, { type: 'kv'; id: string }> = {},
): Promise<Worker> {
  // Where the packages of others are found.
  const folder = mkdtempSync(join(ROOT, 'node_modules/.quayside-pages-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  snippets.forEach((code, i) => writeFileSync(join(folder, `${i}.js`), code))
  const exported = snippets.map((_, i) => `export * from './${i}.js'\n`)
  writeFileSync(join(folder, 'worker.js'), exported.join('') + AROUND)
  const worker = await startWorker(join(folder, 'worker.js'), classes, undefined, others)
  onTestFinished(() => worker.close())
  return worker
}

const send = async ({ miniflare }: Worker, payload: unknown): Promise<number> => {
  const init = { method: 'POST', body: JSON.stringify(payload) }
  return (await miniflare.dispatchFetch('http://worker/send', init)).status
}

test('Workers KV: a cron trigger drains', async () => {
  const worker = await start(snippetsOf('storage-workers-kv.md'), {}, { TASKS: { type: 'kv', id: 'TASKS' } })
  expect(await send(worker, 'tea')).toBe(202)
  expect(await worker.call('cron')).toEqual(['tea'])
})

test('Durable Objects: a cron trigger drains', async () => {
  const [drains] = snippetsOf('storage-durable-objects.md')
  const worker = await start([drains!], { QUEUE: 'QueueObject' })
  expect(await send(worker, 'tea')).toBe(202)
  expect(await worker.call('done')).toEqual([])
  expect(await worker.call('cron')).toEqual(['tea'])
})

test('Durable Objects: a subclass is handed what comes', async () => {
  const [sends, pushes] = snippetsOf('storage-durable-objects.md')
  const worker = await start([sends!, pushes!], { QUEUE: 'Mails' })
  expect(await send(worker, 'tea')).toBe(202)
  await vi.waitFor(async () => expect(await worker.call('done')).toEqual(['tea']), { timeout: 45_000 })
})

test('the first page: a Worker stores what it is sent', async () => {
  const [sends] = snippetsOf('start.md')
  const worker = await start([sends!], { QUEUE: 'QueueObject' })
  expect(await send(worker, 'tea')).toBe(202)
  expect(await send(worker, null)).toBe(202)
})

test('schedules: on Workers KV a cron trigger fires them', async () => {
  const fires = withImports('time.md', 'drainSchedules(queue)')
  const worker = await start([fires], {}, { TASKS: { type: 'kv', id: 'TASKS' } })
  // The next second has to come.
  await vi.waitFor(async () => expect(await worker.call('cron')).toContain('tidy up'), { timeout: 45_000 })
})

test('schedules: the alarm of a Durable Object fires them', async () => {
  const page = `
import { Queue } from 'quayside'
import { DurableObjectAdapter } from 'quayside/durable-object'
import { schedule } from 'quayside/schedule'
export default {
  async fetch(request, env) {
    const queue = new Queue('jobs', { storage: new DurableObjectAdapter(env.JOBS) })
    await schedule(queue, 'beat', { everyMs: 1000 }, { payload: await request.json() })
    return new Response(null, { status: 202 })
  },
}`
  const worker = await start([page, withImports('time.md', 'class Jobs')], { JOBS: 'Jobs' })
  expect(await send(worker, 'tidy up')).toBe(202)
  await vi.waitFor(async () => expect(await worker.call('done')).toContain('tidy up'), { timeout: 45_000 })
})

test('Hono: what is posted is stored', async () => {
  const hono = withImports('servers.md', 'const queueOf = (env)').replace(
    /^const queueOf/m,
    'const app = new Hono()\n$&',
  )
  const scheduled = `async scheduled(_, env) { await queueOf(env).createConsumer().drain(sendMail) }`
  const paths = `(request, env) => app.fetch(new Request(new URL('/orders', request.url), request), env)`
  const worker = await start([`${hono}\nexport default { fetch: ${paths}, ${scheduled} }`], {
    ORDERS: 'QueueObject',
  })
  expect(await send(worker, 'tea')).toBe(202)
  expect(await worker.call('cron')).toEqual(['tea'])
})
