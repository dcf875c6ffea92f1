import type { LaneState } from '../../src/lanes.ts'
import { type Command, flag, GROUP, JSON_OPTION, text } from '../command.ts'
import { readNumber } from '../durations.ts'
import { DONE } from '../exit.ts'
import { holdInWords } from '../holds.ts'
import { pagesOfLanes } from '../pages.ts'
import { type Column, table } from '../table.ts'
import { withTarget } from '../open-target.ts'
import { theGroup, theQueue } from '../target.ts'
import { clean } from '../width.ts'
import { count, duration } from '../words.ts'

const LIMIT = 50

const COLUMNS: readonly Column[] = [
  { title: 'LANE', most: 40, firm: true },
  { title: 'WAITING', align: 'right' },
  { title: 'LEASED', align: 'right' },
  { title: 'RESTS', align: 'right' },
  { title: 'HELD' },
]

export const lanes: Command = {
  name: 'lanes',
  usage: 'TARGET [QUEUE]',
  summary: 'shows the lanes of a group: what waits in them, and which are held',
  details:
    'Those that have something in the group or are held, by name. RESTS is how long until a lane may go again.',
  options: {
    group: GROUP,
    prefix: { type: 'string', value: 'TEXT', help: 'only lanes whose names start so' },
    limit: { type: 'string', value: 'NUMBER', help: `so many at most (${LIMIT}; with --json, all)` },
    json: JSON_OPTION,
  },
  examples: [
    ['lanes ./data mails', 'who has how much to do'],
    ["lanes ./data mails --prefix tenant- --json | jq 'select(.waiting > 1000)'", 'tenants that pile up'],
  ],
  words: [1, 2],
  run: async ([name, named], values, out) => {
    const isJson = flag(values, 'json')
    const limit = readNumber('limit', text(values, 'limit')) ?? (isJson ? Infinity : LIMIT)
    return await withTarget(name!, 'read', async (target) => {
      const queue = await target.adapter.open(await theQueue(target, named))
      const group = await theGroup(queue, text(values, 'group'))
      const prefix = text(values, 'prefix')
      const read = pagesOfLanes(queue, { group, prefix }, limit)
      const all: LaneState[] = []
      let page = await read.next()
      for (; page.done !== true; page = await read.next()) {
        if (isJson) for (const lane of page.value) await out.json(lane)
        else all.push(...page.value)
      }
      if (isJson) return DONE
      await out.write(all.length === 0 ? 'no lanes\n' : table(COLUMNS, all.map(row), out.width))
      if (page.value) await out.write(`the first ${limit}; --limit shows more\n`)
      return DONE
    })
  },
}

function row({ lane, waiting, leased, restsForMs, holds }: LaneState): string[] {
  const held = holds.map(holdInWords).join('; ')
  return [clean(lane), count(waiting), count(leased), duration(restsForMs), held]
}
