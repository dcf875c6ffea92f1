import { type Command, flag, GROUP, JSON_OPTION, text } from '../command.ts'
import { readNumber } from '../durations.ts'
import { DONE } from '../exit.ts'
import { DEAD, writeJson, writeTable } from '../messages.ts'
import { pages } from '../pages.ts'
import { theGroup, theQueue, withTarget } from '../target.ts'

const LIMIT = 50

export const dead: Command = {
  name: 'dead',
  usage: 'TARGET [QUEUE]',
  summary: 'shows dead letters, and what they died of',
  options: {
    group: GROUP,
    limit: { type: 'string', value: 'NUMBER', help: `so many at most (${LIMIT}; with --json, all)` },
    json: JSON_OPTION,
  },
  examples: [
    ['dead ./data orders', 'what could not be done'],
    ['dead ./data orders --json | jq -r .lastError | sort | uniq -c', 'the errors, counted'],
  ],
  words: [1, 2],
  run: async ([name, named], values, out) => {
    const isJson = flag(values, 'json')
    const limit = readNumber('limit', text(values, 'limit')) ?? (isJson ? Infinity : LIMIT)
    return await withTarget(name!, 'read', async (target) => {
      const queue = await target.adapter.open(await theQueue(target, named))
      const group = await theGroup(queue, text(values, 'group'))
      const letters = pages(queue, { group, states: ['dead'] }, limit)
      if (isJson) await writeJson(letters, out)
      else await writeTable(DEAD, letters, limit, 'no dead letters', out)
      return DONE
    })
  },
}
