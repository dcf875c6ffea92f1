import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Asset } from './bundle.ts'
import { Notes, Refusal } from './notes.ts'
import { Harbour, WEATHERS, type Weather, loseAnswer } from './weather.ts'

export interface DemoServer {
  readonly origin: string
  readonly notes: Notes
  readonly harbour: Harbour
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
  const harbour = new Harbour()

  const api: Record<string, Handler> = {
    'GET /api/notes': (_, response) => {
      const { repeats } = notes
      json(response, 200, { notes: notes.list(), repeats, weather: harbour.weather })
    },
    'POST /api/notes': async (request, response) => {
      const id = request.headers['idempotency-key']
      if (typeof id !== 'string') throw new HttpError(400, 'A note comes with an Idempotency-Key.')
      const form = await formOf(request)
      const fate = harbour.next()
      if (fate === 'busy') {
        response.setHeader('retry-after', '2')
        throw new HttpError(503, 'A squall: the harbour is busy. Come again.')
      }
      if (fate === 'refused') throw new Refusal('The harbour is closed.')
      const { note, repeated } = await notes.add(id, form)
      if (fate === 'answer-lost') loseAnswer(response)
      else json(response, repeated ? 200 : 201, note)
    },
    'POST /api/weather': async (request, response) => {
      const weather = String(await bodyOf(request, 100)) as Weather
      if (!WEATHERS.includes(weather))
        throw new HttpError(422, `The weather is one of ${WEATHERS.join(', ')}.`)
      harbour.weather = weather
      json(response, 200, { weather })
    },
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
    harbour,
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
