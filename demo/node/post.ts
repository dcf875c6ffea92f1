import { Agent, request } from 'node:http'
import { text } from 'node:stream/consumers'

export interface Answer {
  readonly status: number
  readonly body: string
}

const agent = new Agent({ keepAlive: true })

/** Posts a text. `fetch` would do as well, and use twice the time of the processor. */
export function post(
  url: string,
  idempotencyKey: string,
  body: string,
  signal?: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { 'idempotency-key': idempotencyKey, 'content-length': Buffer.byteLength(body) }
    const call = request(url, { method: 'POST', agent, headers, ...(signal && { signal }) }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject)
    })
    call.on('error', reject)
    call.end(body)
  })
}
