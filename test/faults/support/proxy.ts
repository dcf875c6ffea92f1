import { type AddressInfo, type Socket, connect, createServer } from 'node:net'

/**
 * What becomes of some bytes that a client sends:
 *
 * - `lost`: the connection breaks before they arrive.
 * - `unanswered`: they arrive, and the connection breaks before the answer.
 * - `torn`: half of them arrive, and the connection breaks.
 * - `slow`: they arrive late.
 * - `trickling`: they arrive in small pieces, and so does the answer.
 * - `silent`: neither they nor anything else gets through any more, and nobody is told: the connection is half-open.
 * - `deaf`: they arrive; then it is silent.
 */
export type Fate = 'lost' | 'unanswered' | 'torn' | 'slow' | 'trickling' | 'silent' | 'deaf'

export interface Proxy {
  readonly port: number
  /** How many connections there have been: the number of the last. */
  readonly opened: number
  close(): Promise<void>
}

const SLOW_MS = 30
const PIECES = 8

/** Stands between clients and a server; `fate` is asked about each piece that a client sends, on which connection. */
export async function openProxy(
  target: number,
  fate: (connection: number) => Fate | undefined,
): Promise<Proxy> {
  const sockets = new Set<Socket>()
  let opened = 0
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    const connection = ++opened
    let muted = false
    let trickling = false
    let silent = false
    const end = (): void => {
      // Whoever gives up on it, the other is not told.
      if (silent) return
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
      if (silent) return
      trickling = false
      switch (fate(connection)) {
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
        case 'deaf':
          upstream.write(bytes)
          silent = true
          return
        case 'silent':
          silent = true
          return
        case 'trickling':
          trickling = true
          trickle(bytes, client, upstream)
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
      if (silent) return
      if (muted) end()
      else if (trickling) trickle(bytes, upstream, client)
      else client.write(bytes)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    get opened() {
      return opened
    },
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** Hands bytes over piece by piece, and takes no more meanwhile. */
function trickle(bytes: Buffer, from: Socket, to: Socket): void {
  from.pause()
  const length = Math.ceil(bytes.length / PIECES)
  const next = (at: number): void => {
    if (to.destroyed) return
    to.write(bytes.subarray(at, at + length))
    if (at + length >= bytes.length) from.resume()
    else setTimeout(next, SLOW_MS, at + length)
  }
  next(0)
}
