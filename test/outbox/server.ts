import { type IncomingHttpHeaders, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** A request, as it arrived. */
export interface Arrived {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface TestServer {
  readonly origin: string
  /** All that arrived whole, in order. */
  readonly arrived: Arrived[]
  /** The bodies of it, as text. */
  readonly bodies: () => string[]
  /** How many requests are being answered at the moment, and the most that ever were. */
  readonly busy: { now: number; most: number }
}

/** What the server does with a request. To end nothing is to hang. */
export type Respond = (response: ServerResponse, request: Arrived, number: number) => unknown

/** A real HTTP server for one test. */
export async function serve(
  respond: Respond = (response) => response.writeHead(201).end('made'),
): Promise<TestServer> {
  const arrived: Arrived[] = []
  const busy = { now: 0, most: 0 }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request
      const one = { method, path, headers, body: Buffer.concat(chunks) }
      arrived.push(one)
      busy.most = Math.max(busy.most, ++busy.now)
      response.on('close', () => busy.now--)
      respond(response, one, arrived.length)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    arrived,
    bodies: () => arrived.map(({ body }) => body.toString()),
    busy,
  }
}

/** Answers with these statuses, one after the other, and with the last one from then on. */
export function statuses(...all: readonly number[]): Respond {
  return (response, _, number) => {
    const status = all[Math.min(number, all.length) - 1]!
    response.writeHead(status).end(status === 204 || status === 304 ? undefined : `this is ${status}`)
  }
}
