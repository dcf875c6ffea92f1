import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { inspectorHandler, nodeListener } from '../../inspector/server/index.ts'
import { Queue } from '../../src/index.ts'
import { type Command, flag, text } from '../command.ts'
import { readNumber } from '../durations.ts'
import { DONE, FAILED, Stop, USAGE } from '../exit.ts'
import { isDirectory, withTarget } from '../open-target.ts'
import { clean } from '../width.ts'

/** Other machines cannot reach it. */
const HOST = '127.0.0.1'

export const inspect: Command = {
  name: 'inspect',
  usage: 'TARGET',
  summary: 'opens the inspector for all queues of a target in a browser, until Ctrl-C',
  details:
    `It listens on ${HOST} only, at an address that nobody can guess: whoever has it sees payloads, and changes queues.\n` +
    'A directory is only looked at, beside the process that owns it, unless --alone takes it.',
  options: {
    port: { type: 'string', value: 'NUMBER', help: 'where to listen; otherwise a port that is free' },
    'read-only': { type: 'boolean', help: 'to look only' },
    alone: { type: 'boolean', help: 'takes a directory that no process owns, so that it can be changed' },
  },
  examples: [
    ['inspect ./data', 'what the queues of a directory are doing, while a process works on them'],
    ['inspect env:REDIS_URL --port 8080', 'those on a Redis server'],
    ['inspect app.db --read-only', 'those in a SQLite file, to look at'],
  ],
  words: [1, 1],
  run: async ([name], values, out) => {
    const port = readNumber('port', text(values, 'port')) ?? 0
    if (port > 65_535) throw new Stop(USAGE, `inspect: --port is 65535 at most, not ${port}`)
    const alone = flag(values, 'alone')
    if (alone && flag(values, 'read-only'))
      throw new Stop(USAGE, 'inspect: --alone is there to change something')
    const readOnly = flag(values, 'read-only') || (!alone && isDirectory(name!))
    return await withTarget(name!, readOnly ? 'read' : 'change', async (target) => {
      const open = new Map<string, Queue>()
      const queues = async (): Promise<Queue[]> =>
        (await target.names()).map((one) => {
          const queue = open.get(one) ?? new Queue(one, { storage: target.adapter })
          open.set(one, queue)
          return queue
        })
      const path = `/${randomBytes(18).toString('base64url')}/`
      let own = ''
      const handler = inspectorHandler(queues, {
        // A name that leads here in place of the address may be another site's.
        allow: ({ url }) => {
          const { pathname, host } = new URL(url)
          return pathname === path && host === own ? (readOnly ? 'read' : true) : false
        },
      })
      const server = createServer(nodeListener(handler))
      server.listen(port, HOST)
      await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
        const why = error.code === 'EADDRINUSE' ? 'it is in use' : error.message
        throw new Stop(FAILED, `inspect: port ${port} cannot be listened on: ${why}`)
      })
      own = `${HOST}:${(server.address() as AddressInfo).port}`
      const interrupted = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
      await out.write(
        `http://${own}${path}\n${clean(target.name)}${readOnly ? ', to look only' : ''}; Ctrl-C ends it\n`,
      )
      await interrupted
      server.close()
      server.closeAllConnections()
      await Promise.all(Array.from(open.values(), (queue) => queue.close()))
      return DONE
    })
  },
}
