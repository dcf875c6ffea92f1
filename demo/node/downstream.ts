// The downstream server: somebody else's, which now and then has no time, and goes down for a while.
//
//   node downstream.ts FILE SHARE_OF_503
import { createWriteStream } from 'node:fs'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { record } from './lines.ts'
import type { FromDownstream, ToDownstream } from './messages.ts'
import { hearParent, tellParent } from './parent.ts'

const [file, share] = process.argv.slice(2) as [string, string]

/** Every request that was accepted, repeated ones too: what main.ts compares with the lines in the end. */
const log = createWriteStream(file)
/** The idempotency keys of these. A server that must not do things twice looks here first. */
const seen = new Set<string>()
let down = false

const server = createServer((request, response) => void accept(request, response))

async function accept(request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const body = await text(request)
    if (Math.random() < Number(share)) {
      response.writeHead(503).end()
      return
    }
    const id = String(request.headers['idempotency-key'])
    seen.add(id)
    log.write(record(id, body))
    response.writeHead(200).end()
  } catch {
    // The other side hung up.
  }
}

// Down: whoever calls is hung up on.
server.on('connection', (socket) => {
  if (down) socket.destroy()
})

hearParent<ToDownstream>((message) => {
  down = message === 'down'
  if (down) server.closeAllConnections()
  if (message !== 'finish') return
  server.close()
  server.closeAllConnections()
  log.end(() => process.disconnect())
})

let told = -1
setInterval(() => {
  if (seen.size !== told) tellParent<FromDownstream>({ type: 'arrived', messages: (told = seen.size) })
}, 50).unref()

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  tellParent<FromDownstream>({ type: 'ready', url: `http://127.0.0.1:${port}` })
})
