import type { ListedMessage } from '../src/storage.ts'
import { carry, show, showAll } from './body.ts'
import type { Out } from './out.ts'
import { outcomeAsJson, outcomeInFull, outcomeInShort } from './outcome.ts'
import { type Column, table } from './table.ts'
import { clean, cleanLines } from './width.ts'
import { duration, time } from './words.ts'

/** Longer ones are cut in a table; `peek` and `--json` have them whole. */
const ID_CELLS = 40
const NAME_CELLS = 20
/** No terminal shows more of a payload on a line. */
const SHOWN = 500

type Cell = readonly [column: Column, of: (message: ListedMessage, now: number) => string]

const ID: Cell = [{ title: 'ID', most: ID_CELLS, firm: true }, ({ id }) => clean(id)]
const KEY: Cell = [{ title: 'KEY', most: NAME_CELLS }, ({ key = '' }) => clean(key)]
const LANE: Cell = [{ title: 'LANE', most: NAME_CELLS }, ({ lane = '' }) => clean(lane)]
const TRY: Cell = [
  { title: 'TRIES', align: 'right' },
  ({ attempt, maxAttempts }) => (maxAttempts === undefined ? `${attempt}` : `${attempt}/${maxAttempts}`),
]
const ERROR: Cell = [
  { title: 'LAST ERROR', most: 40 },
  ({ lastError = '' }) => clean(lastError.slice(0, SHOWN)),
]
const WHY: Cell = [
  { title: 'PARKED FOR', most: 40 },
  ({ parked }) => clean(parked?.reason.slice(0, SHOWN) ?? ''),
]
const OUTCOME: Cell = [
  { title: 'OUTCOME', most: 40 },
  ({ outcome }) => (outcome === undefined ? '' : clean(outcomeInShort(outcome).slice(0, SHOWN))),
]
const PAYLOAD: Cell = [{ title: 'PAYLOAD' }, ({ body }) => clean(show(body).slice(0, SHOWN))]

export const WAITING: readonly Cell[] = [
  [{ title: 'STATE' }, ({ state }) => state],
  ID,
  LANE,
  KEY,
  [{ title: 'AGE', align: 'right' }, ({ timestamp }, now) => duration(now - timestamp)],
  [{ title: 'NEXT', align: 'right' }, ({ nextInMs }) => duration(nextInMs)],
  TRY,
  WHY,
  ERROR,
  OUTCOME,
  PAYLOAD,
]

export const DEAD: readonly Cell[] = [
  [{ title: 'DEAD FOR', align: 'right' }, ({ deadAt }, now) => duration(deadAt && now - deadAt)],
  [{ title: 'REASON' }, ({ reason = '' }) => reason],
  ID,
  LANE,
  KEY,
  TRY,
  ERROR,
  PAYLOAD,
]

/** Pages of messages. */
type Pages = AsyncIterable<readonly ListedMessage[]>

/** A line of JSON for each message. */
export async function writeJson(pages: Pages, out: Out): Promise<void> {
  for await (const messages of pages) for (const message of messages) await out.json(asJson(message))
}

/** One table of all, which says so if there may be more than these. */
export async function writeTable(
  cells: readonly Cell[],
  pages: Pages,
  limit: number,
  none: string,
  out: Out,
): Promise<void> {
  const messages: ListedMessage[] = []
  for await (const page of pages) messages.push(...page)
  if (messages.length === 0) return await out.write(`${none}\n`)
  const now = Date.now()
  const rows = messages.map((message) => cells.map(([, of]) => of(message, now)))
  await out.write(
    table(
      cells.map(([column]) => column),
      rows,
      out.width,
    ),
  )
  if (messages.length === limit) await out.write(`the first ${limit}; --limit shows more\n`)
}

/** A message in full, for people. */
export function inFull({ id, state, lane, key, headers, timestamp, body, ...rest }: ListedMessage): string {
  const { attempt, maxAttempts, nextInMs, lastError, reason, deadAt, parked, outcome } = rest
  const lines: readonly (readonly [name: string, value: string | undefined])[] = [
    ['id', clean(id)],
    ['state', reason === undefined ? state : `${state}, ${reason}`],
    ['lane', lane === undefined ? undefined : clean(lane)],
    ['key', key === undefined ? undefined : clean(key)],
    ['sent', time(timestamp)],
    ['died', deadAt === undefined ? undefined : time(deadAt)],
    ['tries', `${attempt}${maxAttempts === undefined ? '' : ` of ${maxAttempts}`}`],
    ['next', nextInMs === undefined ? undefined : `in ${duration(nextInMs)}`],
    ['parked', parked && `${time(parked.at)}: ${cleanLines(parked.reason)}`],
    ['data', parked?.data && clean(parked.data)],
    ['error', lastError === undefined ? undefined : cleanLines(lastError)],
    ...Object.entries(headers ?? {}).map(([name, value]) => ['header', clean(`${name}: ${value}`)] as const),
  ]
  const facts = lines.flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(8)}${value}\n`]))
  const became = outcome === undefined ? '' : `${state === 'done' ? '' : '\n'}${outcomeInFull(outcome)}`
  // Of what is done the payload is not kept.
  const payload = state === 'done' ? '' : `${cleanLines(showAll(body))}\n`
  return `${facts.join('')}\n${payload}${became}`
}

/** A message for programs. */
export function asJson({ body, receipt: _, parked, outcome, ...rest }: ListedMessage): object {
  return {
    ...rest,
    ...(parked && { parked: { ...parked, data: parked.data && (JSON.parse(parked.data) as unknown) } }),
    ...(outcome && { outcome: outcomeAsJson(outcome) }),
    ...(rest.state !== 'done' && carry(body)),
  }
}
