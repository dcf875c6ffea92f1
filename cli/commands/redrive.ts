import { type Command, flag, GROUP, JSON_OPTION, text } from '../command.ts'
import { DONE, FAILED, Stop } from '../exit.ts'
import { Queue } from '../../src/index.ts'
import { theGroup, theQueue, withTarget } from '../target.ts'
import { clean } from '../width.ts'
import { plural } from '../words.ts'

export const redrive: Command = {
  name: 'redrive',
  usage: 'TARGET QUEUE [ID…]',
  summary: 'delivers dead letters again: those with these ids, or all',
  details: 'They start from their first attempt, and do not expire any more.',
  options: { group: GROUP, json: JSON_OPTION },
  examples: [
    ['redrive ./data orders', 'all of them, once the cause is mended'],
    ['redrive ./data orders order-7 order-9 --group billing', 'two of them'],
  ],
  words: [2, Infinity],
  run: ([name, named, ...ids], values, out) =>
    withTarget(name!, 'change', async (target) => {
      const { adapter } = target
      const queueName = await theQueue(target, named)
      const group = await theGroup(await adapter.open(queueName), text(values, 'group'))
      const queue = new Queue(queueName, { storage: adapter })
      const redriven = await queue.deadLetters(group).redrive(ids.length === 0 ? undefined : ids)
      if (flag(values, 'json')) await out.json({ redriven })
      else await out.write(`redriven: ${plural(redriven, 'message')}\n`)
      if (ids.length > redriven)
        throw new Stop(FAILED, `${ids.length - redriven} of the ids are no dead letters of ${clean(group)}`)
      return DONE
    }),
}
