import { type Command, flag, GROUP, JSON_OPTION, text } from '../command.ts'
import { DONE, FAILED, Stop } from '../exit.ts'
import { outcomeAsJson, outcomeInFull } from '../outcome.ts'
import { withTarget } from '../open-target.ts'
import { theGroup, theQueue } from '../target.ts'
import { clean } from '../width.ts'

export const result: Command = {
  name: 'result',
  usage: 'TARGET QUEUE ID',
  summary: 'shows what became of a message that was sent with --keep',
  options: { group: GROUP, json: JSON_OPTION },
  examples: [['result ./data orders order-7', 'what its handler returned, why it died, or how far it is']],
  words: [3, 3],
  run: ([name, named, id], values, out) =>
    withTarget(name!, 'read', async (target) => {
      const queue = await target.adapter.open(await theQueue(target, named))
      const group = await theGroup(queue, text(values, 'group'))
      const [outcome] = await queue.results(group, [id!])
      if (outcome === undefined)
        throw new Stop(
          FAILED,
          `nothing is kept of ${clean(id!)} in ${clean(group)}: it is not done, or not kept`,
        )
      if (flag(values, 'json')) await out.json(outcomeAsJson(outcome))
      else await out.write(outcomeInFull(outcome))
      return DONE
    }),
}
