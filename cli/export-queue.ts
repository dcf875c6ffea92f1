import type { ListedMessage, MessageState, QueueStorage } from '../src/storage.ts'
import { carry } from './body.ts'
import { type Head, type Line, type Standing, VERSION } from './dump.ts'
import { pages } from './pages.ts'
import type { Progress } from './progress.ts'

const STATES: readonly MessageState[] = ['ready', 'leased', 'delayed', 'blocked', 'parked', 'dead']
/** A group that does not exist is shown as it would start: with everything that waits for the first one. */
const NOBODY = 'export'

/** Hands out the head of a queue, and a line for each of its messages. Takes nothing. */
export async function exportQueue(
  name: string,
  queue: QueueStorage,
  progress: Pick<Progress, 'add'>,
  out: (line: Head | Line) => Promise<void>,
): Promise<void> {
  const stats = await queue.stats()
  const groups = Object.keys(stats.groups)
  const head: Head = {
    quayside: 'queue',
    version: VERSION,
    queue: name,
    groups,
    ...(stats.holds.length > 0 && { holds: stats.holds }),
    exportedAt: Date.now(),
  }
  await out(head)
  const [first = NOBODY, ...others] = groups
  // Bodies pass through; what is kept of the other groups is where messages stand.
  const standings = new Map<string, Record<string, Standing>>()
  for (const group of others) {
    let place = 0
    for await (const messages of pages(queue, { group, states: STATES })) {
      for (const message of messages) {
        const known = standings.get(message.id) ?? {}
        set(known, group, standingOf(message, place++))
        standings.set(message.id, known)
      }
    }
  }
  const write = async (group: string): Promise<void> => {
    let place = 0
    for await (const messages of pages(queue, { group, states: STATES })) {
      for (const message of messages) {
        const known = standings.get(message.id)
        standings.delete(message.id)
        if (group === first)
          await out(
            lineOf(message, groups.length === 0 ? {} : { ...known, ...only(group, message, place++) }),
          )
        else if (known !== undefined) await out(lineOf(message, known))
      }
      progress.add(messages.length)
    }
  }
  await write(first)
  // What the first group has done and others have not.
  for (const group of others) if (standings.size > 0) await write(group)
}

function only(group: string, message: ListedMessage, place: number): Record<string, Standing> {
  const one: Record<string, Standing> = {}
  set(one, group, standingOf(message, place))
  return one
}

/** Also for a group that is called `__proto__`. */
function set(standings: Record<string, Standing>, group: string, standing: Standing): void {
  Object.defineProperty(standings, group, {
    value: standing,
    enumerable: true,
    configurable: true,
    writable: true,
  })
}

function standingOf(
  { state, attempt, nextInMs, lastError, reason, deadAt, parked }: ListedMessage,
  place: number,
): Standing {
  return { state, attempt, place, nextInMs, lastError, reason, deadAt, parked }
}

function lineOf(
  { id, lane, key, headers, timestamp, maxAttempts, body }: ListedMessage,
  groups: Record<string, Standing>,
): Line {
  return { id, lane, key, headers, timestamp, maxAttempts, ...carry(body), groups }
}
