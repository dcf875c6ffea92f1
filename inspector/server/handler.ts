import { QuaysideError } from '../../src/core/index.ts'
import type { InspectedQueue } from '../inspected-queue.ts'
import { jsonOf } from './body.ts'
import { call, isChange, isVerb } from './calls.ts'
import { eventsOf } from './events.ts'
import { refusalOf } from './guard.ts'
import { STYLE, htmlOf } from './html.ts'
import { PAGE_SCRIPT, PAGE_VERSION } from './page-script.ts'
import { fromWire, toWire } from './wire.ts'

/** What somebody may do: everything, look only, or nothing. */
export type Permission = boolean | 'read'

/** Who may look and act, and how. */
export interface InspectorHandlerOptions {
  /**
   * Is asked at each request who may use the inspector: `true`, all of it; `'read'`, to look only; `false`, nothing (403). Whoever
   * looks sees payloads. To throw is to allow nothing. Leave the body unread. Ask the session or the login of your own tools here: there is no default.
   */
  readonly allow: (request: Request) => Permission | Promise<Permission>
}

/** The queues that are shown; a function says at each request which these are. */
export type InspectedQueues =
  | readonly InspectedQueue[]
  | (() => readonly InspectedQueue[] | Promise<readonly InspectedQueue[]>)

const SAFE = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
}

/** Whose messages say what was wrong with a call, and nothing of the storage behind the queue. */
const TELLABLE: ReadonlySet<string> = new Set([
  'INVALID_ARGUMENT',
  'UNSUPPORTED',
  'TOO_LARGE',
  'UNSERIALIZABLE',
  'SCHEMA_MISMATCH',
  'CLOSED',
])

/**
 * A `fetch` handler that serves `<quayside-inspector>` for queues of a server, all of it at one address: mount it for `GET` and
 * `POST`, in Hono, Next.js, a Worker, or by {@link nodeListener} in Node.
 *
 * ```ts
 * const inspect = inspectorHandler([orders, mails], { allow: (request) => isAdmin(request) })
 * app.all('/queues', (c) => inspect(c.req.raw))
 * ```
 *
 * It refuses what other sites cause, changes nothing at a `GET`, and has a page without inline scripts or styles. Names of queues,
 * ids and payloads are in no URL that a server sees. The page hears of changes by server-sent events, and looks every 5 s besides.
 *
 * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
 */
export function inspectorHandler(
  queues: InspectedQueues,
  options: InspectorHandlerOptions,
): (request: Request) => Promise<Response> {
  const { allow, ...others } = (options ?? {}) as Partial<InspectorHandlerOptions>
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw invalid(`allow is the only option, not ${JSON.stringify(unknown)}`)
  if (typeof allow !== 'function')
    throw invalid('allow must be a function that says who may see and change queues; there is no default')
  if (typeof queues !== 'function' && !(Array.isArray(queues) && queues.every(isQueue)))
    throw invalid('queues must be an array of queues, or a function that answers with one')
  const all = async (): Promise<readonly InspectedQueue[]> =>
    typeof queues === 'function' ? await queues() : queues

  return async (request) => {
    // Node's own requests have other headers.
    if (typeof request?.headers?.get !== 'function')
      throw invalid('it needs a Request; in Node and Express, serve it by nodeListener(handler)')
    const refusal = refusalOf(request)
    if (refusal !== undefined) return text(403, `Refused: ${refusal}.`)
    const permission = await permissionOf(allow, request)
    if (permission === false) return text(403, 'You may not use this inspector.')
    try {
      if (request.method === 'GET') return await serve(request, all)
      if (request.method === 'POST') return await answer(request, all, permission === 'read')
      return text(405, 'GET and POST are all that is done here.', { allow: 'GET, POST' })
    } catch (error) {
      return failure(error)
    }
  }
}

export function invalid(rule: string, tried = 'inspectorHandler'): QuaysideError {
  return new QuaysideError('INVALID_ARGUMENT', `${tried}: ${rule}`)
}

function isQueue(one: Partial<InspectedQueue> | null | undefined): boolean {
  return typeof one?.stats === 'function'
}

async function permissionOf(allow: InspectorHandlerOptions['allow'], request: Request): Promise<Permission> {
  try {
    const answered = await allow(request)
    return answered === true || answered === 'read' ? answered : false
  } catch {
    return false
  }
}

async function serve(request: Request, all: () => Promise<readonly InspectedQueue[]>): Promise<Response> {
  const { searchParams } = new URL(request.url)
  if (searchParams.has('events')) return respond(200, 'text/event-stream', eventsOf(await all()))
  if (searchParams.has('script')) return respond(200, 'text/javascript; charset=utf-8', PAGE_SCRIPT)
  if (searchParams.has('style')) return respond(200, 'text/css; charset=utf-8', STYLE)
  return respond(200, 'text/html; charset=utf-8', htmlOf(PAGE_VERSION))
}

/** A call of the page: `{ queue, verb, args }`. Without a queue it asks which there are. */
async function answer(
  request: Request,
  all: () => Promise<readonly InspectedQueue[]>,
  readOnly: boolean,
): Promise<Response> {
  // No form can send it, and no script of another site without asking first.
  if (!/^application\/json\b/i.test(request.headers.get('content-type') ?? ''))
    return text(415, 'A call is application/json.')
  const question = await jsonOf(request)
  if (typeof question !== 'object' || question === null)
    return problem(400, 'INVALID_ARGUMENT', 'this is no call: JSON of 8 MiB at most')
  const { queue: name, verb, args } = question as Record<string, unknown>
  const queues = await all()
  if (name === undefined) return json(200, { value: { names: queues.map((one) => one.name), readOnly } })
  const queue = queues.find((one) => one.name === name)
  if (queue === undefined) return problem(404, 'INVALID_ARGUMENT', 'there is no such queue here')
  if (!isVerb(verb) || !Array.isArray(args))
    return problem(400, 'INVALID_ARGUMENT', 'there is no such verb here')
  if (isChange(verb) && (readOnly || queue.readOnly))
    return problem(403, 'UNSUPPORTED', 'these queues can only be looked at')
  const value = await call(queue, verb, fromWire(args) as unknown[])
  return json(200, { value: toWire(value) })
}

function failure(error: unknown): Response {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  // By its code: a program may have two copies of the package.
  if (typeof code === 'string' && TELLABLE.has(code)) return problem(400, code, String(message))
  return problem(500, 'STORAGE_FAILED', 'The storage failed: see what the server says of it.')
}

function problem(status: number, code: string, message: string): Response {
  return json(status, { error: { code, message } })
}

function json(status: number, value: unknown): Response {
  return respond(status, 'application/json', JSON.stringify(value))
}

function text(status: number, message: string, headers?: Record<string, string>): Response {
  return respond(status, 'text/plain; charset=utf-8', message, headers)
}

function respond(
  status: number,
  type: string,
  body: BodyInit,
  headers: Record<string, string> = {},
): Response {
  return new Response(body, { status, headers: { ...SAFE, ...headers, 'content-type': type } })
}
