import type { Command } from '../command.ts'
import { DONE } from '../exit.ts'
import { exportQueue } from '../export-queue.ts'
import { Progress } from '../progress.ts'
import { withTarget } from '../open-target.ts'
import { theQueue } from '../target.ts'
import { clean } from '../width.ts'

export const exportCommand: Command = {
  name: 'export',
  usage: 'TARGET [QUEUE]',
  summary: 'writes messages, and where they stand, as JSON lines',
  details:
    'The first line of a queue names it and its groups. Each line behind it is a message: id, key, headers, timestamp, its\n' +
    'payload (as JSON, as text if it is none, or as base64 if it is bytes), and for each group that is not done with it its\n' +
    'state, attempts, last error, and what it died of. Without QUEUE, all queues. While a process works on the queue, a\n' +
    'message that moves meanwhile may be missing or be there as it was before.',
  options: {},
  examples: [
    ['export ./data > backup.jsonl', 'everything in a directory'],
    ['export ./data orders | quayside import redis://localhost:6379', 'moves a queue to a server'],
    [
      'export ./data orders | jq \'select(.groups.billing.state == "dead")\'',
      'a support dump of dead letters',
    ],
  ],
  words: [1, 2],
  run: ([name, named], _, out) =>
    withTarget(name!, 'read', async (target) => {
      const names = named === undefined ? await target.names() : [await theQueue(target, named)]
      for (const queue of names) {
        const progress = new Progress(`exporting ${clean(queue)}`)
        await exportQueue(queue, await target.adapter.open(queue), progress, (line) => out.json(line))
        progress.end()
      }
      return DONE
    }),
}
