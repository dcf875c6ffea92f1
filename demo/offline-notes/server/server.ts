import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Asset } from './bundle.ts'
import { Notes, Refusal } from './notes.ts'
import { PEOPLE, Sessions } from './sessions.ts'
import { HARBOURS, type Harbour, Sky, WEATHERS, loseAnswer } from './weather.ts'

export interface DemoServer {
  readonly origin: string
  readonly notes: Notes
  readonly sky: Sky
  readonly sessions: Sessions
  close(): Promise<void>
}

const MAX_BODY_BYTES = 40 * 1024 * 1024

const SAFE = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'",
}

type Handler = (request: IncomingMessage, response: ServerResponse, pathname: string) => unknown

/** A refusal with a status of its own. */
class HttpError extends Error {
  readonly status: number

  constructor(status: number, text: string) {
    super(text)
    this.status = status
  }
}

/** Serves the page, and the API that takes its notes, on localhost. */
export async function startServer(
  assets: ReadonlyMap<string, Asset>,
  { port = 0, notes = new Notes() }: { port?: number; notes?: Notes } = {},
): Promise<DemoServer> {
  const sky = new Sky()
  const sessions = new Sessions()

  /** A note for a harbour arrives. */
  const arrive = async (to: Harbour, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { 'idempotency-key': key, authorization } = request.headers
    if (typeof key !== 'string') throw new HttpError(400, 'A note comes with an Idempotency-Key.')
    const form = await formOf(request)
    const by = sessions.who(authorization)
    if (by === undefined) throw new HttpError(401, 'Somebody has to log in first.')
    switch (sky.next(to, form.has('edited'))) {
      case 'busy':
        response.setHeader('retry-after', '2')
        throw new HttpError(503, 'A squall: the harbour is busy. Come again.')
      case 'forbidden':
        throw new HttpError(403, 'The harbour is closed.')
      case 'conflict':
        throw new HttpError(409, 'Somebody wrote this first. Say it in other words.')
      case 'answer-lost':
        await notes.add(key, form, { by, to })
        return loseAnswer(response)
      case 'taken': {
        const { note, repeated } = await notes.add(key, form, { by, to })
        json(response, repeated ? 200 : 201, note)
      }
    }
  }

  const api: Record<string, Handler> = {
    'GET /api/notes': (_, response) => {
      const { repeats } = notes
      json(response, 200, { notes: notes.list(), repeats, weather: sky.weather })
    },
    'POST /api/session': async (request, response) => {
      const person = await oneOf(request, PEOPLE, 'Who logs in')
      json(response, 201, { token: sessions.begin(person) })
    },
    'DELETE /api/session': (request, response) => {
      sessions.end(request.headers.authorization)
      json(response, 200, {})
    },
  }
  for (const harbour of HARBOURS) {
    api[`POST /api/${harbour}/notes`] = (request, response) => arrive(harbour, request, response)
    api[`POST /api/${harbour}/weather`] = async (request, response) => {
      const weather = await oneOf(request, WEATHERS, 'The weather')
      sky.weather[harbour] = weather
      json(response, 200, { weather })
    }
  }

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname } = new URL(request.url!, 'http://localhost')
    try {
      await (api[`${request.method} ${pathname}`] ?? read)(request, response, pathname)
    } catch (error) {
      const status = error instanceof HttpError ? error.status : error instanceof Refusal ? 422 : 500
      if (response.headersSent) response.destroy()
      else respond(response, status, 'text/plain; charset=utf-8', (error as Error).message)
    }
  }
  const server = createServer((request, response) => void answer(request, response))

  /** What is only read: the page's files, and photos. */
  const read: Handler = (request, response, pathname) => {
    if (request.method !== 'GET')
      throw new HttpError(405, `${request.method} ${pathname} is nothing that is done here.`)
    const asset = assets.get(pathname)
    if (asset !== undefined) return respond(response, 200, asset.type, asset.body)
    const photo = notes.photos.get(pathname.slice('/api/photos/'.length))
    if (photo === undefined) throw new HttpError(404, `There is no ${pathname} here.`)
    response.setHeader('cache-control', 'max-age=31536000, immutable')
    respond(response, 200, photo.type, photo.bytes)
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    notes,
    sky,
    sessions,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function respond(response: ServerResponse, status: number, type: string, body: string | Uint8Array): void {
  for (const [name, value] of Object.entries(SAFE)) response.setHeader(name, value)
  if (!response.hasHeader('cache-control')) response.setHeader('cache-control', 'no-cache')
  response.writeHead(status, { 'content-type': type }).end(body)
}

function json(response: ServerResponse, status: number, value: unknown): void {
  respond(response, status, 'application/json', JSON.stringify(value))
}

/** A word that is the whole body, out of these. */
async function oneOf<T extends string>(
  request: IncomingMessage,
  words: readonly T[],
  what: string,
): Promise<T> {
  const word = String(await bodyOf(request, 100))
  const found = words.find((one) => one === word)
  if (found === undefined) throw new HttpError(422, `${what} is one of ${words.join(', ')}.`)
  return found
}

async function formOf(request: IncomingMessage): Promise<FormData> {
  const type = request.headers['content-type'] ?? ''
  if (!type.startsWith('multipart/form-data')) throw new HttpError(415, 'A note is multipart/form-data.')
  const body = await bodyOf(request, MAX_BODY_BYTES)
  try {
    return await new Response(body, { headers: { 'content-type': type } }).formData()
  } catch {
    throw new HttpError(400, 'This is no form.')
  }
}

async function bodyOf(request: IncomingMessage, maxBytes: number): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new HttpError(413, `${maxBytes} bytes are the most that is taken here.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
