import type { Respond } from '../outbox/server.ts'

/** Answers with what was sent, and refuses what is sent to `/refused`. Pages of all origins may ask. */
export const echo: Respond = (response, { path, body, method }) => {
  const open = {
    'access-control-allow-origin': '*',
    'access-control-allow-headers': '*',
    'access-control-allow-methods': '*',
    'access-control-expose-headers': '*',
  }
  if (method === 'OPTIONS') response.writeHead(204, open).end()
  else if (path.startsWith('/refused')) response.writeHead(422, open).end('no')
  else response.writeHead(200, open).end(body)
}
