import process from 'node:process'
import type { GroupStats, QueueStorage, StorageStats } from '../../src/storage.ts'
import { type Command, flag, JSON_OPTION } from '../command.ts'
import { DONE } from '../exit.ts'
import { holdInWords } from '../holds.ts'
import type { Out } from '../out.ts'
import { type Column, table } from '../table.ts'
import { withTarget } from '../open-target.ts'
import { theQueue } from '../target.ts'
import { clean, cut } from '../width.ts'
import { bytes, count, duration, plural } from '../words.ts'

const EVERY_MS = 1000
const BAR = 24

/** How the states are drawn. */
const SIGNS = { ready: '█', leased: '▓', delayed: '▒', blocked: '░', parked: '▚', dead: '✕' } as const
type State = keyof typeof SIGNS
const STATES = Object.keys(SIGNS) as State[]

const COLUMNS: readonly Column[] = [
  { title: 'GROUP', most: 40 },
  ...STATES.map((state): Column => ({ title: state.toUpperCase(), align: 'right' })),
  { title: 'ACKED', align: 'right' },
  { title: 'FAILED', align: 'right' },
  { title: 'OLDEST', align: 'right' },
  { title: STATES.map((state) => `${SIGNS[state]} ${state}`).join(' ') },
]

export const stats: Command = {
  name: 'stats',
  usage: 'TARGET [QUEUE]',
  summary: 'counts what waits, is worked on, parked or dead, and tells what is held; --watch goes on',
  details:
    'ACKED and FAILED count since the group exists; FAILED are deliveries that ended in a retry, a lost lease or a dead\n' +
    'letter. Leases of a process that has died count as leased until they end or the directory is opened again.',
  options: {
    watch: { type: 'boolean', help: 'again every second, until Ctrl-C' },
    json: JSON_OPTION,
  },
  examples: [
    ['stats ./data', 'every queue in a directory'],
    ['stats ./data orders --watch', 'one queue, live, while a process works on it'],
    ["stats ./data --json | jq '.groups.billing.dead'", 'for a monitor'],
  ],
  words: [1, 2],
  run: ([name, named], values, out) =>
    withTarget(name!, 'read', async (target) => {
      const isWatched = flag(values, 'watch')
      const only = named === undefined ? undefined : await theQueue(target, named)
      const open = new Map<string, QueueStorage>()
      // From the start on: it may be pressed while something is read or written.
      const interrupted = isWatched ? untilInterrupted() : undefined
      for (;;) {
        const names = only === undefined ? await target.names() : [only]
        for (const one of names) if (!open.has(one)) open.set(one, await target.adapter.open(one))
        const text = await look(open, flag(values, 'json'), out)
        const clear = isWatched && out.isTerminal && !flag(values, 'json') ? '\u001b[H\u001b[J' : ''
        await out.write(clear + text)
        if (interrupted === undefined || (await interrupted(EVERY_MS))) return DONE
      }
    }),
}

async function look(
  queues: ReadonlyMap<string, QueueStorage>,
  isJson: boolean,
  { width }: Out,
): Promise<string> {
  const texts: string[] = []
  for (const [name, queue] of queues) {
    const counts = await queue.stats()
    texts.push(isJson ? `${JSON.stringify({ queue: name, ...counts })}\n` : picture(name, counts, width))
  }
  if (isJson) return texts.join('')
  return texts.length === 0 ? 'no queues\n' : texts.join('\n')
}

function picture(
  name: string,
  { groups, messages, bytes: size, oldestMs, sent, holds }: StorageStats,
  width: number,
): string {
  const facts = [plural(messages, 'message'), bytes(size), `${count(sent)} sent`]
  if (oldestMs !== undefined) facts.push(`oldest ${duration(oldestMs)}`)
  const held = holds.map((hold) => `${cut(holdInWords(hold), width)}\n`).join('')
  const head = `${clean(name)}: ${facts.join(', ')}\n${held}`
  const all = Object.entries(groups)
  if (all.length === 0) return `${head}no group has received from it yet\n`
  const most = Math.max(...all.map(([, group]) => sum(group)))
  return (
    head +
    table(
      COLUMNS,
      all.map(([group, counts]) => row(group, counts, most)),
      width,
    )
  )
}

function row(name: string, group: GroupStats, most: number): string[] {
  return [
    clean(name),
    ...STATES.map((state) => count(group[state])),
    count(group.acked),
    count(group.failed),
    duration(group.oldestMs),
    bar(group, most),
  ]
}

const sum = (group: GroupStats): number => STATES.reduce((total, state) => total + group[state], 0)

/** The states of a group, as long as it has messages beside the largest one. What is there at all is seen. */
function bar(group: GroupStats, most: number): string {
  return STATES.map((state) =>
    SIGNS[state].repeat(group[state] === 0 ? 0 : Math.max(1, Math.round((group[state] / most) * BAR))),
  ).join('')
}

/** Answers with what waits for a time, and says whether Ctrl-C was pressed by then. */
function untilInterrupted(): (ms: number) => Promise<boolean> {
  const pressed = new Promise<true>((resolve) => process.once('SIGINT', () => resolve(true)))
  return async (ms) => {
    let timer: NodeJS.Timeout | undefined
    const over = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), ms)))
    return await Promise.race([pressed, over]).finally(() => clearTimeout(timer))
  }
}
