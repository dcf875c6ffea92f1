import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Route = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

export interface Site {
  /** For example `http://localhost:43117`: a secure context, as service workers need it. */
  readonly origin: string
  /** What it answers with, by path. Anything else is 404. */
  readonly routes: Map<string, Route>
  close(): Promise<void>
}

/** Serves pages and scripts on an origin of its own. */
export async function openSite(scripts: Readonly<Record<string, string>> = {}): Promise<Site> {
  const routes = new Map<string, Route>()
  for (const [path, code] of Object.entries(scripts)) routes.set(path, serve('text/javascript', code))
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://localhost')
    const route = routes.get(pathname)
    if (route === undefined) response.writeHead(404).end()
    else void route(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    routes,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export function serve(type: string, text: string): Route {
  return (_, response) => {
    response.writeHead(200, {
      'content-type': `${type}; charset=utf-8`,
      'cache-control': 'no-store',
      'access-control-allow-origin': '*',
    })
    response.end(text)
  }
}

/** A page that runs a script. */
export function page(script: string): Route {
  return serve(
    'text/html',
    `<!doctype html><title>test</title><script type="module" src="${script}"></script>`,
  )
}
