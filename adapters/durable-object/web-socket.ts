import type { ObjectSocket, ObjectSocketPair } from './platform.ts'

/** Answers a request for a WebSocket with one end of it, and gives the other to `take`. */
export function upgrade(request: Request, take: (socket: ObjectSocket) => void): Response {
  if (request.headers.get('upgrade')?.toLowerCase() !== 'websocket') {
    const headers = { connection: 'upgrade', upgrade: 'websocket' }
    return new Response('A queue is watched through a WebSocket.', { status: 426, headers })
  }
  const { WebSocketPair } = globalThis as unknown as { WebSocketPair: ObjectSocketPair }
  const { 0: theirs, 1: ours } = new WebSocketPair()
  take(ours)
  return new Response(null, { status: 101, webSocket: theirs } as ResponseInit)
}
