import { invalid } from './handler.ts'

/** What Node's `http` gives to a listener, as far as it is used here. */
export interface NodeRequest extends AsyncIterable<Uint8Array> {
  readonly method?: string | undefined
  readonly url?: string | undefined
  /** What Express leaves of the URL before it takes a mount path away. */
  readonly originalUrl?: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** As much of a `ServerResponse` of Node as is needed. */
export interface NodeResponse {
  writeHead(status: number, headers: Record<string, string>): unknown
  write(chunk: Uint8Array): boolean
  end(): unknown
  destroy(): unknown
  once(event: 'drain' | 'close', listener: () => void): unknown
}

/**
 * Lets Node serve a `fetch` handler: `createServer(nodeListener(handler))`, or `app.use('/queues', nodeListener(handler))` in Express,
 * before what reads bodies.
 *
 * ```ts
 * createServer(nodeListener(inspectorHandler([queue], { allow }))).listen(8080)
 * ```
 *
 * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
 */
export function nodeListener(
  handler: (request: Request) => Promise<Response>,
): (request: NodeRequest, response: NodeResponse) => void {
  if (typeof handler !== 'function')
    throw invalid(
      `handler must be a function, such as inspectorHandler(queues, { allow }), not ${typeof handler}`,
      'nodeListener',
    )
  return (request, response) => {
    const gone = new Promise<undefined>((resolve) => response.once('close', () => resolve(undefined)))
    void toRequest(request)
      .then(handler)
      .then((answer) => pump(answer, response, gone))
      .catch(() => response.destroy())
  }
}

async function toRequest(request: NodeRequest): Promise<Request> {
  const { method = 'GET', originalUrl, url = '/', headers } = request
  const own = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined || name.startsWith(':') ? [] : [[name, String(value)]],
  )
  const init: RequestInit & { duplex?: 'half' } = { method, headers: own }
  if (method !== 'GET' && method !== 'HEAD') Object.assign(init, { body: bodyOf(request), duplex: 'half' })
  return new Request(new URL(originalUrl ?? url, `http://${String(headers['host'] ?? 'localhost')}`), init)
}

/** As it comes: who reads it knows how much is too much. */
function bodyOf(request: NodeRequest): ReadableStream<Uint8Array> {
  const chunks = request[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await chunks.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    async cancel() {
      await chunks.return?.()
    },
  })
}

async function pump(
  { status, headers, body }: Response,
  to: NodeResponse,
  gone: Promise<undefined>,
): Promise<void> {
  to.writeHead(status, Object.fromEntries(headers))
  const reader = body?.getReader()
  for (;;) {
    const part = await Promise.race([reader?.read(), gone])
    if (part === undefined || part.done) break
    if (to.write(part.value)) continue
    const drained = new Promise<void>((resolve) => to.once('drain', resolve))
    await Promise.race([drained, gone])
  }
  await reader?.cancel()
  to.end()
}
