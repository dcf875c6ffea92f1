import { type Command, flag, GROUP, JSON_OPTION, text } from '../command.ts'
import { confirm, YES } from '../confirm.ts'
import { DONE, Stop, USAGE } from '../exit.ts'
import { Queue } from '../../src/index.ts'
import { withTarget } from '../open-target.ts'
import { type Target, theGroup, theQueue } from '../target.ts'
import { clean } from '../width.ts'
import { plural } from '../words.ts'

export const purge: Command = {
  name: 'purge',
  usage: 'TARGET QUEUE',
  summary: 'deletes every message of a queue; or, with --dead, the dead letters of a group',
  details: 'Asks first, and refuses where there is nobody to ask. Groups stay, and their counts.',
  options: {
    dead: { type: 'boolean', help: 'dead letters only, of one group' },
    group: GROUP,
    yes: YES,
    json: JSON_OPTION,
  },
  examples: [
    ['purge ./data orders', 'everything in orders, after a question'],
    ['purge ./data orders --dead --group billing --yes', 'dead letters, from a script'],
  ],
  words: [2, 2],
  run: async ([name, named], values, out) => {
    const group = text(values, 'group')
    if (group !== undefined && !flag(values, 'dead'))
      throw new Stop(USAGE, 'purge deletes the messages of all groups: --group goes with --dead')
    const say = async (deleted: number, what: string): Promise<number> => {
      if (flag(values, 'json')) await out.json({ deleted })
      else await out.write(`deleted ${plural(deleted, what)}\n`)
      return DONE
    }
    return await withTarget(name!, 'change', async (target) => {
      const queueName = await theQueue(target, named)
      const queue = new Queue(queueName, { storage: target.adapter })
      if (flag(values, 'dead')) {
        const of = await theGroup(await target.adapter.open(queueName), group)
        const { dead = 0 } = (await queue.stats()).groups[of] ?? {}
        await confirm(
          `This deletes ${plural(dead, 'dead letter')} of ${place(target, queueName)}, ${clean(of)}.`,
          values,
        )
        return await say(await queue.deadLetters(of).delete(), 'dead letter')
      }
      const { messages, groups } = await queue.stats()
      const dead = Object.values(groups).reduce((sum, one) => sum + one.dead, 0)
      const what = `${plural(messages, 'message')} and ${plural(dead, 'dead letter')}`
      await confirm(`This deletes ${what} of ${place(target, queueName)}.`, values)
      await queue.purge()
      return await say(messages + dead, 'message')
    })
  },
}

function place({ name }: Target, queue: string): string {
  return `${clean(queue)} in ${clean(name)}`
}
