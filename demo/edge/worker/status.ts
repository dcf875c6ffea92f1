import type { Queue } from 'quayside/core'
import type { Env } from './env.ts'
import type { Form } from './form.ts'
import { type Kind, isKind, spent, watch, withQueue } from './queues.ts'

/** What the page may ask of a queue. Nothing else is reachable from outside. */
const VERBS: Record<string, (queue: Queue<Form>, args: never[]) => Promise<unknown>> = {
  stats: (queue) => queue.stats(),
  list: (queue, [options]) => queue.list(options),
  cancel: (queue, [ids]) => queue.cancel(ids!),
  retryNow: (queue, [ids, options]) => queue.retryNow(ids ?? undefined, options),
  edit: (queue, [id, payload, options]) => queue.edit(id!, payload!, options),
  resume: (queue, [ids, options]) => queue.resume(ids!, options),
  hold: (queue, [place]) => queue.hold(place),
  release: (queue, [place]) => queue.release(place),
  lanes: (queue, [options]) => queue.lanes(options),
  'deadLetters.list': (queue, [group, options]) => queue.deadLetters(group).list(options),
  'deadLetters.redrive': (queue, [group, ids]) => queue.deadLetters(group).redrive(ids ?? undefined),
  'deadLetters.delete': (queue, [group, ids]) => queue.deadLetters(group).delete(ids ?? undefined),
}

/** The status page, and what it asks for: `/status`, `/status/KIND`, `/status/KIND/watch`. */
export async function status(request: Request, env: Env): Promise<Response> {
  if (!(await isAllowed(request, env))) {
    return new Response('The status page needs the password that is in STATUS_TOKEN.', {
      status: 401,
      headers: { 'www-authenticate': 'Basic realm="status", charset="UTF-8"' },
    })
  }
  const { pathname } = new URL(request.url)
  const [, , kind, part] = pathname.split('/')
  if (kind === undefined) return await env.ASSETS.fetch(request)
  if (!isKind(kind)) return new Response(`There is no ${pathname} here.`, { status: 404 })
  if (part === 'watch') return await watch(request, env, kind)
  return await call(request, env, kind)
}

async function call(request: Request, env: Env, kind: Kind): Promise<Response> {
  // Browsers add the password to requests of other sites, too, but not this header.
  if (request.headers.get('content-type') !== 'application/json')
    return new Response('Send JSON.', { status: 415 })
  const { verb, args } = await request.json<{ verb: string; args: never[] }>()
  if (verb === 'spent') return Response.json(spent)
  if (!Object.hasOwn(VERBS, verb)) return new Response(`There is no verb ${verb}.`, { status: 400 })
  try {
    return Response.json((await withQueue(env, kind, (queue) => VERBS[verb]!(queue, args))) ?? null)
  } catch (error) {
    // The inspector asks once whether there are lanes: it knows by the code.
    const { code } = error as { code?: string }
    return Response.json({ code, message: String(error) }, { status: 500 })
  }
}

/** HTTP Basic, whatever the user name. */
async function isAllowed(request: Request, { STATUS_TOKEN }: Env): Promise<boolean> {
  const [scheme, given = ''] = (request.headers.get('authorization') ?? '').split(' ')
  if (!STATUS_TOKEN || scheme !== 'Basic') return false
  const password = atob(given).replace(/^[^:]*:/, '')
  const digest = (text: string): Promise<ArrayBuffer> =>
    crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  // Digests are of one length, and the comparison takes the same time whatever they are.
  return crypto.subtle.timingSafeEqual(await digest(password), await digest(STATUS_TOKEN))
}
