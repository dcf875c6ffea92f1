import type { MessageState } from '../../src/storage.ts'
import { type Command, flag, GROUP, JSON_OPTION, text } from '../command.ts'
import { readNumber } from '../durations.ts'
import { DONE, Stop, USAGE } from '../exit.ts'
import { LANE } from '../holds.ts'
import { WAITING, writeJson, writeTable } from '../messages.ts'
import { pages } from '../pages.ts'
import { withTarget } from '../open-target.ts'
import { theGroup, theQueue } from '../target.ts'

const STATES: readonly MessageState[] = ['ready', 'leased', 'delayed', 'blocked', 'parked', 'dead', 'done']
const LIMIT = 50

export const list: Command = {
  name: 'list',
  usage: 'TARGET [QUEUE]',
  summary: 'shows the messages of a group, without taking them',
  options: {
    group: GROUP,
    state: { type: 'string', value: 'STATE', help: `only these: ${STATES.join(', ')}` },
    lane: LANE,
    limit: { type: 'string', value: 'NUMBER', help: `so many at most (${LIMIT}; with --json, all)` },
    json: JSON_OPTION,
  },
  examples: [
    ['list ./data orders', 'what waits in orders'],
    ['list ./data orders --group billing --state delayed', 'what waits for a retry or its time'],
    ['list ./data mails --state parked --lane tenant-7', 'what waits for a person, and why'],
    ["list ./data orders --json | jq -r 'select(.attempt > 3) | .id'", 'ids of those that were tried often'],
  ],
  words: [1, 2],
  run: async ([name, named], values, out) => {
    const state = text(values, 'state') as MessageState | undefined
    if (state !== undefined && !STATES.includes(state))
      throw new Stop(USAGE, `--state takes one of ${STATES.join(', ')}, not ${state}`)
    const isJson = flag(values, 'json')
    const limit = readNumber('limit', text(values, 'limit')) ?? (isJson ? Infinity : LIMIT)
    return await withTarget(name!, 'read', async (target) => {
      const queue = await target.adapter.open(await theQueue(target, named))
      const group = await theGroup(queue, text(values, 'group'))
      const states = state === undefined ? undefined : [state]
      const query = { group, states, lane: text(values, 'lane') }
      if (isJson) await writeJson(pages(queue, query, limit), out)
      else await writeTable(WAITING, pages(queue, query, limit), limit, 'nothing', out)
      return DONE
    })
  },
}
