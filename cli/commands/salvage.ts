import { salvage as salvageDirectory } from '../../adapters/fs/index.ts'
import { type Command, flag, JSON_OPTION } from '../command.ts'
import { DAMAGED, DONE } from '../exit.ts'
import { lostPlaces } from '../lost.ts'
import { redact } from '../secrets.ts'
import { clean } from '../width.ts'
import { plural } from '../words.ts'

export const salvage: Command = {
  name: 'salvage',
  usage: 'DIRECTORY NEW_DIRECTORY',
  summary: 'makes a new directory of all that can be read of a damaged one',
  details:
    'The damaged one is not changed, and nobody may have it open. What was written in a place that cannot be read is as if\n' +
    'it had never happened: messages sent there are missing, messages acked there come again.',
  options: { json: JSON_OPTION },
  examples: [['salvage ./data ./data-salvaged', 'after verify, or an error CORRUPT']],
  words: [2, 2],
  run: async ([from, to], values, out) => {
    const lost = await salvageDirectory(from!, to!)
    if (flag(values, 'json')) await out.json({ lost })
    else {
      const end = lost.length === 0 ? 'all of it' : `all but ${plural(lost.length, 'place')}`
      await out.write(
        `${clean(redact(to!))} has what there is in ${clean(redact(from!))}: ${end}\n${lostPlaces(lost)}`,
      )
    }
    return lost.length === 0 ? DONE : DAMAGED
  },
}
