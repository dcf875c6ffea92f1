import { type AddressInfo, type Socket, connect, createServer } from 'node:net'

/**
 * What becomes of some bytes that a client sends:
 *
 * - `lost`: the connection breaks before they arrive.
 * - `unanswered`: they arrive, and the connection breaks before the answer.
 * - `torn`: half of them arrive, and the connection breaks.
 * - `slow`: they arrive late.
 */
export type Fate = 'lost' | 'unanswered' | 'torn' | 'slow'

export interface Proxy {
  readonly port: number
  close(): Promise<void>
}

const SLOW_MS = 30

/** Stands between clients and a server; `fate` is asked about each piece that a client sends. */
export async function openProxy(target: number, fate: () => Fate | undefined): Promise<Proxy> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    let muted = false
    const end = (): void => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true).on('error', end)
      socket.on('close', () => {
        sockets.delete(socket)
        end()
      })
    }
    client.on('data', (bytes) => {
      switch (fate()) {
        case undefined:
          upstream.write(bytes)
          return
        case 'lost':
          end()
          return
        case 'torn':
          upstream.write(bytes.subarray(0, bytes.length >> 1), end)
          return
        case 'unanswered':
          muted = true
          upstream.write(bytes)
          return
        case 'slow':
          client.pause()
          setTimeout(() => {
            upstream.write(bytes)
            client.resume()
          }, SLOW_MS)
      }
    })
    upstream.on('data', (bytes) => {
      if (muted) end()
      else client.write(bytes)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
