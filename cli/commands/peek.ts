import { type Command, flag, GROUP, JSON_OPTION, text } from '../command.ts'
import { DONE, FAILED, Stop } from '../exit.ts'
import { asJson, inFull } from '../messages.ts'
import { withTarget } from '../open-target.ts'
import { theGroup, theQueue } from '../target.ts'
import { clean } from '../width.ts'

export const peek: Command = {
  name: 'peek',
  usage: 'TARGET QUEUE [ID…]',
  summary: 'shows the next message in full, or those with these ids',
  details: 'Nothing is taken: attempts are not counted, and no lease begins.',
  options: { group: GROUP, json: JSON_OPTION },
  examples: [
    ['peek ./data orders', 'the message that the next consumer gets'],
    ['peek ./data orders order-7', 'the one with this id, dead or alive'],
  ],
  words: [2, Infinity],
  run: ([name, named, ...ids], values, out) =>
    withTarget(name!, 'read', async (target) => {
      const queue = await target.adapter.open(await theQueue(target, named))
      const group = await theGroup(queue, text(values, 'group'))
      const wanted =
        ids.length === 0
          ? ({ states: ['ready'], limit: 1 } as const)
          : ({
              states: ['ready', 'leased', 'delayed', 'blocked', 'parked', 'dead', 'done'],
              ids,
              limit: 2 * ids.length,
            } as const)
      const { messages } = await queue.list({ group, ...wanted })
      if (messages.length === 0 && ids.length === 0)
        throw new Stop(FAILED, `nothing is ready for ${clean(group)}`)
      for (const [i, message] of messages.entries()) {
        if (flag(values, 'json')) await out.json(asJson(message))
        else await out.write(`${i > 0 ? '\n' : ''}${inFull(message)}`)
      }
      const missing = ids.filter((id) => !messages.some((message) => message.id === id))
      if (missing.length > 0)
        throw new Stop(FAILED, `${clean(group)} has nothing to do with ${missing.map(clean).join(', ')}`)
      return DONE
    }),
}
