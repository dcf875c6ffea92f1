import { type Command, flag, GROUP, JSON_OPTION, text } from '../command.ts'
import { DONE, FAILED, Stop } from '../exit.ts'
import { Queue } from '../../src/index.ts'
import { pages } from '../pages.ts'
import { withTarget } from '../open-target.ts'
import { theGroup, theQueue } from '../target.ts'
import { clean } from '../width.ts'
import { plural } from '../words.ts'

export const resume: Command = {
  name: 'resume',
  usage: 'TARGET QUEUE [ID…]',
  summary: 'has parked messages go on: those with these ids, or all',
  details:
    'They are due at once, and start from their first attempt. quayside edit has one go on with something else.',
  options: { group: GROUP, json: JSON_OPTION },
  examples: [
    ['resume ./data orders order-7', 'once what it waited for is there'],
    ['resume ./data orders --group billing', 'all that are parked'],
  ],
  words: [2, Infinity],
  run: ([name, named, ...ids], values, out) =>
    withTarget(name!, 'change', async (target) => {
      const { adapter } = target
      const queueName = await theQueue(target, named)
      const view = await adapter.open(queueName)
      const group = await theGroup(view, text(values, 'group'))
      const wanted = [...ids]
      if (ids.length === 0)
        for await (const page of pages(view, { group, states: ['parked'], bodies: false }))
          wanted.push(...page.map(({ id }) => id))
      const answers = await new Queue(queueName, { storage: adapter }).resume(wanted, { group })
      const resumed = answers.filter(Boolean).length
      if (flag(values, 'json')) await out.json({ resumed })
      else await out.write(`resumed: ${plural(resumed, 'message')}\n`)
      if (ids.length > resumed)
        throw new Stop(FAILED, `${ids.length - resumed} of the ids are not parked in ${clean(group)}`)
      return DONE
    }),
}
