import { type Command, flag, JSON_OPTION, text } from '../command.ts'
import { DONE } from '../exit.ts'
import { BATCH, importLines, type Totals } from '../import-lines.ts'
import { batchesOfLines } from '../lines.ts'
import { Progress } from '../progress.ts'
import { withTarget } from '../open-target.ts'
import { plural } from '../words.ts'

export const importCommand: Command = {
  name: 'import',
  usage: 'TARGET',
  summary: 'makes queues of what export wrote, from standard input',
  details:
    'Kept: ids, payloads, headers, keys, lanes, delays, numbers of attempts and what is left of them, last errors, dead\n' +
    'letters and parked messages with their reasons, groups and what each of them is done with, the first 100 holds; and\n' +
    'order, but that messages which somebody has received already come before those that nobody has.\n' +
    'Not kept: leases (what was leased is ready), the time of sending, of parking and of death (now), an expiry, dedupeMs,\n' +
    'results, keepMs, and the counts of what was acked and failed. A message whose id the queue has is not stored again.\n' +
    'Best into a queue that is not there yet: in one that has messages, these are received as well, and given back.',
  options: {
    queue: {
      type: 'string',
      value: 'NAME',
      help: 'another name for the queue; the dump must have one queue only',
    },
    json: JSON_OPTION,
  },
  examples: [
    ['import ./copy < backup.jsonl', 'makes a directory of a backup'],
    ['import ./data --queue orders-again < orders.jsonl', 'under another name'],
  ],
  words: [1, 1],
  run: ([name], values, out) =>
    withTarget(name!, 'create', async (target) => {
      const progress = new Progress('importing')
      try {
        const totals = await importLines(target, batchesOfLines(BATCH), progress, text(values, 'queue'))
        if (flag(values, 'json')) await out.json(totals)
        else await out.write(`${summary(totals)}\n`)
        return DONE
      } finally {
        progress.end()
      }
    }),
}

function summary({ stored, duplicates, unreached }: Totals): string {
  const parts = [`imported ${plural(stored, 'message')}`]
  if (duplicates > 0) parts.push(`${plural(duplicates, 'duplicate')} not stored`)
  if (unreached > 0)
    parts.push(`${unreached} wait behind others of their key, as if they had not been received yet`)
  return parts.join('; ')
}
