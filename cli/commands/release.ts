import { type Command, flag, JSON_OPTION, text } from '../command.ts'
import { DONE, FAILED, Stop } from '../exit.ts'
import { placeInWords, PLACE } from '../holds.ts'
import { Queue } from '../../src/index.ts'
import { withTarget } from '../open-target.ts'
import { theQueue } from '../target.ts'

export const release: Command = {
  name: 'release',
  usage: 'TARGET QUEUE',
  summary: 'ends a hold: of a queue, a group or a lane',
  details: 'The place must be named as it was held; quayside stats has what is held. Other holds go on.',
  options: {
    ...PLACE,
    probe: { type: 'boolean', help: 'one message goes first, and the rest when that was acked' },
    json: JSON_OPTION,
  },
  examples: [
    ['release ./data orders', 'what held the queue as a whole is over'],
    ['release ./data mails --lane tenant-7 --probe', 'tries one tenant with one message'],
  ],
  words: [2, 2],
  run: async ([name, named], values, out) =>
    await withTarget(name!, 'change', async (target) => {
      const queue = new Queue(await theQueue(target, named), { storage: target.adapter })
      const place = { group: text(values, 'group'), lane: text(values, 'lane') }
      const released = await queue.release({ ...place, probe: flag(values, 'probe') })
      if (flag(values, 'json')) await out.json({ released })
      if (!released) throw new Stop(FAILED, `${placeInWords(place)} was not held: quayside stats has what is`)
      if (!flag(values, 'json')) await out.write(`released: ${placeInWords(place)}\n`)
      return DONE
    }),
}
