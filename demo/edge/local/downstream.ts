import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** Somebody else's API, which now and then has no time. */
export interface Downstream {
  readonly url: string
  /** How often each form was accepted, by its Idempotency-Key. */
  readonly accepted: ReadonlyMap<string, number>
  /** How many requests were refused with 503. */
  readonly refused: () => number
  close(): void
}

/** @param share How many of the requests are refused, from 0 to 1. */
export async function startDownstream(share: number): Promise<Downstream> {
  const accepted = new Map<string, number>()
  let refused = 0
  const server = createServer((request, response) => {
    void text(request).then(() => {
      if (Math.random() < share) {
        refused++
        response.writeHead(503).end()
        return
      }
      const id = String(request.headers['idempotency-key'])
      accepted.set(id, (accepted.get(id) ?? 0) + 1)
      response.writeHead(200).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    accepted,
    refused: () => refused,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
