// A form endpoint that answers at once and does the work later.
//
//   POST /forms/durable-object   stores the form in a Durable Object, whose alarm delivers it
//   POST /forms/kv               stores it in Workers KV, which the cron trigger drains
//   GET  /status                 the inspector, behind a password
//
// You need one of the two. Durable Objects are exact and quick; KV is for accounts that have nothing else.
import { RETRY, deliver } from './deliver.ts'
import type { Env } from './env.ts'
import { Refusal, readForm } from './form.ts'
import { type Kind, isKind, withQueue } from './queues.ts'
import { status } from './status.ts'

export { FormQueue } from './form-queue.ts'

/** A cron invocation may take 15 minutes; the next one comes after two. */
const DRAIN_MS = 100_000

const worker: ExportedHandler<Env> = {
  async fetch(request, env) {
    const { pathname } = new URL(request.url)
    const [, section, kind] = pathname.split('/')
    if (section === 'status') return await status(request, env)
    if (section !== 'forms' || !isKind(kind))
      return new Response(`There is no ${pathname} here.`, { status: 404 })
    if (request.method !== 'POST')
      return new Response('Send a form with POST.', { status: 405, headers: { allow: 'POST' } })
    return await accept(request, env, kind)
  },

  async scheduled(_, env) {
    await withQueue(env, 'kv', (queue) =>
      queue
        .createConsumer('crm', { retry: RETRY })
        .drain((message, { signal }) => deliver(message, env.DOWNSTREAM, signal), {
          concurrency: 6, // as many connections as an invocation may have open
          deadline: Date.now() + DRAIN_MS,
        }),
    )
  },
}

export default worker

/** Stores a form; what is answered with 202 is stored. */
async function accept(request: Request, env: Env, kind: Kind): Promise<Response> {
  try {
    const form = await readForm(request)
    const { id } = await withQueue(env, kind, (queue) => queue.createProducer().send(form))
    return Response.json({ id }, { status: 202 })
  } catch (error) {
    if (error instanceof Refusal) return Response.json({ error: error.message }, { status: 422 })
    console.error(error)
    // Nothing was stored, as far as we know: the visitor may send it again.
    return Response.json({ error: 'Please try again.' }, { status: 503, headers: { 'retry-after': '5' } })
  }
}
