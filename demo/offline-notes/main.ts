// npm run demo: notes with photos that leave when there is a network, and none of which is lost.
//
//   page/     what runs in the browser: the page, its service worker, and the outbox that both share
//   server/   builds and serves it, and takes the notes
import { buildAssets } from './server/bundle.ts'
import { startServer } from './server/server.ts'

const port = Number(process.env['PORT'] ?? 5454)

try {
  const { origin } = await startServer(await buildAssets(), { port })
  console.log(`\n  offline notes   ${origin}\n
  Write a note, go offline, write more, reload, open a second tab, close all of them, come back:
  every note arrives once. Log out and in, be somebody else, make bad weather in one of two harbours.
  The server keeps notes in memory. Ctrl-C stops it.\n`)
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
  console.error(`npm run demo: port ${port} is in use; choose another: PORT=${port + 1} npm run demo`)
  process.exitCode = 1
}
