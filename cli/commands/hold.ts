import { type Command, flag, JSON_OPTION, text } from '../command.ts'
import { readDuration } from '../durations.ts'
import { DONE } from '../exit.ts'
import { holdInWords, PLACE } from '../holds.ts'
import { Queue } from '../../src/index.ts'
import { withTarget } from '../open-target.ts'
import { theGroup, theQueue } from '../target.ts'

export const hold: Command = {
  name: 'hold',
  usage: 'TARGET QUEUE',
  summary: 'has nothing handed out: of a queue, a group or a lane, until it is released',
  details:
    'Without --group it is all groups, without --lane all lanes and what has none. What is worked on at the moment goes on.\n' +
    'A second hold of the same place takes the place of the first. It is stored, and acts in every process.',
  options: {
    ...PLACE,
    for: { type: 'string', value: 'DURATION', help: 'until then at most: 90s, 5m, 2h, 1d' },
    reason: { type: 'string', value: 'TEXT', help: 'why, to be shown' },
    probe: {
      type: 'boolean',
      help: 'once it is over, one message goes first, and the rest when that was acked',
    },
    json: JSON_OPTION,
  },
  examples: [
    ['hold ./data orders --reason "the bank is down"', 'nobody gets anything'],
    [
      'hold ./data mails --lane tenant-7 --for 10m --probe',
      'one tenant rests, and is tried again with one message',
    ],
  ],
  words: [2, 2],
  run: async ([name, named], values, out) => {
    const forMs = readDuration('for', text(values, 'for'))
    return await withTarget(name!, 'change', async (target) => {
      const { adapter } = target
      const queueName = await theQueue(target, named)
      const group = text(values, 'group')
      const view = await adapter.open(queueName)
      // One that is mistyped would hold nobody.
      if (group !== undefined) await theGroup(view, group)
      const queue = new Queue(queueName, { storage: adapter })
      const place = { group, lane: text(values, 'lane') }
      await queue.hold({ ...place, forMs, reason: text(values, 'reason'), probe: flag(values, 'probe') })
      const { holds } = await view.stats()
      const made = holds.find((one) => one.group === place.group && one.lane === place.lane)
      if (flag(values, 'json')) await out.json(made ?? place)
      else await out.write(`${holdInWords(made ?? { ...place, since: 0, probe: false })}\n`)
      return DONE
    })
  },
}
