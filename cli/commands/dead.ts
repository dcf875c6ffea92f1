import { causesOf, writeCauses } from '../causes.ts'
import { type Command, flag, GROUP, JSON_OPTION, text } from '../command.ts'
import { readNumber } from '../durations.ts'
import { DONE, Stop, USAGE } from '../exit.ts'
import { DEAD, writeJson, writeTable } from '../messages.ts'
import { pages } from '../pages.ts'
import { withTarget } from '../open-target.ts'
import { theGroup, theQueue } from '../target.ts'

const LIMIT = 50
const NONE = 'no dead letters'

export const dead: Command = {
  name: 'dead',
  usage: 'TARGET [QUEUE]',
  summary: 'shows dead letters, and what they died of',
  options: {
    group: GROUP,
    by: { type: 'string', value: 'error', help: 'how many died of what, the most frequent first' },
    limit: { type: 'string', value: 'NUMBER', help: `so many at most (${LIMIT}; with --json, all)` },
    json: JSON_OPTION,
  },
  examples: [
    ['dead ./data orders', 'what could not be done'],
    ['dead ./data orders --by error', 'the errors, counted; numbers and ids in them are #'],
  ],
  words: [1, 2],
  run: async ([name, named], values, out) => {
    const isJson = flag(values, 'json')
    const by = text(values, 'by')
    if (by !== undefined && by !== 'error') throw new Stop(USAGE, 'dead: --by takes error, and nothing else')
    const limit = readNumber('limit', text(values, 'limit')) ?? (isJson ? Infinity : LIMIT)
    return await withTarget(name!, 'read', async (target) => {
      const queue = await target.adapter.open(await theQueue(target, named))
      const group = await theGroup(queue, text(values, 'group'))
      if (by !== undefined) {
        const causes = await causesOf(pages(queue, { group, states: ['dead'], bodies: false }))
        if (isJson) for (const cause of causes) await out.json(cause)
        else await writeCauses(causes, NONE, out)
        return DONE
      }
      const letters = pages(queue, { group, states: ['dead'] }, limit)
      if (isJson) await writeJson(letters, out)
      else await writeTable(DEAD, letters, limit, NONE, out)
      return DONE
    })
  },
}
