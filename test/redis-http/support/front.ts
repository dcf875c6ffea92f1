import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createClient } from 'redis'

/** What becomes of one request: nothing unusual, if it is not told. */
export type Fault =
  /** The connection ends before the server has heard of it. */
  | 'drop before'
  /** The server does it, and nobody hears. */
  | 'drop after'
  /** The server does it, and the answer never comes. */
  | 'silence'
  /** The server does it, and the answer ends in its middle. */
  | 'cut'
  /** The server does not hear of it. */
  | { readonly status: number; readonly text?: string; readonly location?: string }

/** A REST API of a Redis server, by the protocol of Upstash: https://upstash.com/docs/redis/features/restapi. */
export interface Front {
  readonly url: string
  readonly token: string
  /** The names of the commands that were asked for, in lower case. */
  readonly commands: string[]
  /** What becomes of the next requests, one each. */
  readonly faults: Fault[]
  /** As many bytes a request may have. */
  maxBytes: number
  /** Ends it, with all connections. */
  stop(): Promise<void>
}

/** Bulk strings as buffers: their type is the byte that they begin with, `$`. */
const AS_BUFFERS = { typeMapping: { [0x24]: Buffer } }

export async function startFront(redisUrl: string, token: string = 'a-token-of-no-use'): Promise<Front> {
  const client = createClient({ url: redisUrl })
  client.on('error', () => undefined)
  await client.connect()
  const commands: string[] = []
  const faults: Fault[] = []

  /** Answers with a status and a body, or with nothing. */
  async function answer(request: IncomingMessage, fault: Fault | undefined): Promise<[number, unknown]> {
    if (request.headers.authorization !== `Bearer ${token}`)
      return [401, { error: 'WRONGPASS invalid or missing auth token' }]
    if (request.method !== 'POST' || request.url !== '/') return [400, { error: 'ERR unsupported arg type' }]
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const body = Buffer.concat(parts)
    if (body.length > front.maxBytes) {
      const sizes = `Limit: ${front.maxBytes} bytes, Actual: ${body.length} bytes`
      return [400, { error: `ERR max request size exceeded. ${sizes}` }]
    }
    const command = JSON.parse(body.toString()) as readonly (string | number)[]
    commands.push(String(command[0]).toLowerCase())
    if (typeof fault === 'object') return [fault.status, fault.text ?? { error: 'told to fail' }]
    if (fault === 'drop before') return [0, undefined]
    try {
      const reply: unknown = await client.sendCommand(command.map(String), AS_BUFFERS)
      const asText = request.headers['upstash-encoding'] === 'base64' ? 'base64' : 'utf8'
      return [200, { result: textOf(reply, asText) }]
    } catch (error) {
      return [400, { error: (error as Error).message }]
    }
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const fault = faults.shift()
    const [status, body] = await answer(request, fault)
    if (fault === 'silence') return
    if (fault === 'drop before' || fault === 'drop after') return void request.socket.destroy()
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const location = typeof fault === 'object' ? fault.location : undefined
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      ...(location !== undefined && { location }),
    })
    if (fault !== 'cut') return void response.end(text)
    response.write(text.slice(0, text.length / 2), () => request.socket.destroy())
  }

  const server = createServer((request, response) => void handle(request, response))
  // On a busy machine it would end connections that a request is on its way on.
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const front: Front = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    commands,
    faults,
    maxBytes: 10_000_000,
    async stop() {
      server.close()
      server.closeAllConnections()
      client.destroy()
    },
  }
  return front
}

/** A reply as JSON has it. */
function textOf(reply: unknown, encoding: 'base64' | 'utf8'): unknown {
  if (Array.isArray(reply)) return reply.map((one) => textOf(one, encoding))
  return Buffer.isBuffer(reply) ? reply.toString(encoding) : reply
}
