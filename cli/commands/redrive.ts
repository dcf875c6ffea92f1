import { type Command, flag, GROUP, JSON_OPTION, text } from '../command.ts'
import { DONE, FAILED, Stop, USAGE } from '../exit.ts'
import { Queue } from '../../src/index.ts'
import { pages } from '../pages.ts'
import { withTarget } from '../open-target.ts'
import { theGroup, theQueue } from '../target.ts'
import { clean } from '../width.ts'
import { type Choice, choiceOf, WHERE } from '../where.ts'
import { plural } from '../words.ts'
import type { QueueStorage } from '../../src/storage.ts'

export const redrive: Command = {
  name: 'redrive',
  usage: 'TARGET QUEUE [ID…]',
  summary: 'delivers dead letters again: all, some ids, or what died of the same',
  details: 'They start from their first attempt, and do not expire any more.',
  options: { group: GROUP, where: WHERE, json: JSON_OPTION },
  examples: [
    ['redrive ./data orders', 'all of them, once the cause is mended'],
    ['redrive ./data orders --where "error=connection refused"', 'those that died of that'],
    ['redrive ./data orders order-7 order-9 --group billing', 'two of them'],
  ],
  words: [2, Infinity],
  run: async ([name, named, ...ids], values, out) => {
    const choice = choiceOf('redrive', values)
    if (choice !== undefined && ids.length > 0)
      throw new Stop(USAGE, 'redrive: it is --where or ids, not both')
    return await withTarget(name!, 'change', async (target) => {
      const { adapter } = target
      const queueName = await theQueue(target, named)
      const view = await adapter.open(queueName)
      const group = await theGroup(view, text(values, 'group'))
      const queue = new Queue(queueName, { storage: adapter })
      const redriven = await queue.deadLetters(group).redrive(await wanted(view, group, ids, choice))
      if (flag(values, 'json')) await out.json({ redriven })
      else await out.write(`redriven: ${plural(redriven, 'message')}\n`)
      if (ids.length > redriven)
        throw new Stop(FAILED, `${ids.length - redriven} of the ids are no dead letters of ${clean(group)}`)
      return DONE
    })
  },
}

/** The ids of the dead letters that are meant; `undefined` means all. */
async function wanted(
  view: QueueStorage,
  group: string,
  ids: readonly string[],
  choice: Choice | undefined,
): Promise<readonly string[] | undefined> {
  if (choice === undefined) return ids.length === 0 ? undefined : ids
  const chosen: string[] = []
  for await (const letters of pages(view, { group, states: ['dead'], bodies: false }))
    for (const letter of letters) if (choice(letter)) chosen.push(letter.id)
  return chosen
}
