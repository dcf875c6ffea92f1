import { BEHIND_DEAD, type DeadReason, type DeadSettlement, type Outcome } from '../../../src/storage.ts'
import { type Book, ending } from './book.ts'
import { settleContent } from './edit.ts'
import { block, firstBlocked, unblock } from './keys.ts'
import { freeProbed, probeLives } from './holds.ts'
import {
  type Bundle,
  type Group,
  type Kept,
  type KeyRow,
  type Message,
  type Place,
  type State,
  idOf,
  keepsOf,
} from './records.ts'
import { type Key, sortable } from './rows.ts'

/** The most places of one row. */
const MOST = 128

/** A place of a message that a group has come by. */
export function newPlace({ g }: Group, message: Message): Place {
  const { n, lane, key, x, only } = message
  const place: Place = { k: ['p', g, n], n, state: 'gone', attempt: 0, lane, key, x, keeps: keepsOf(message) }
  if (only !== undefined) place.back = true
  return place
}

export function keyRow(
  book: Book,
  group: Group,
  { lane = '', key }: Pick<Place, 'lane' | 'key'>,
): Promise<KeyRow | undefined> {
  return book.get(keyOf(group, lane, key!))
}

export function keyOf({ g }: Group, lane: string | undefined, key: string): Key {
  return ['k', g, sortable(lane ?? ''), key]
}

/** Says something of an ordering key; nothing is kept of one of which there is nothing to say. */
async function setKey(
  book: Book,
  group: Group,
  place: Pick<Place, 'lane' | 'key'>,
  said: Partial<Pick<KeyRow, 'busy' | 'stop'>>,
): Promise<void> {
  const known = await keyRow(book, group, place)
  const row = Object.assign(known ?? { k: keyOf(group, place.lane, place.key!), busy: false }, said)
  if (row.busy || row.stop !== undefined) book.set(row)
  else book.remove(row.k)
}

/** One of a key is on its way. */
export function occupy(book: Book, group: Group, place: Place): Promise<void> {
  return setKey(book, group, place, { busy: true })
}

/** Moves a place to a state, and into the line of that state. */
export async function move(
  book: Book,
  group: Group,
  place: Place,
  state: State,
  order?: number,
  into?: Bundle,
): Promise<void> {
  await leave(book, group, place, state)
  place.state = state
  place.order = order
  await count(book, group, place, 1)
  const flow = await book.flowOf(group, place.lane)
  if (state === 'leased') {
    if (into === undefined) lease(book, group, place, order!)
    else join(book, place, into, order!)
    await probeLives(book, group, place, true)
  } else if (state === 'blocked') await block(book, keyOf(group, place.lane, place.key!), place)
  else {
    if (state === 'ready') book.offer(group, flow)
    book.set(place)
  }
  book.set(flow)
  book.changed = true
}

function lease(book: Book, group: Group, place: Place, until: number): void {
  const { g } = group
  let row = book.open.get(g)
  if (row === undefined || row.places.length >= MOST) {
    row = { k: ['l', g, ++book.q.ties], places: [] }
    book.open.set(g, row)
  }
  join(book, place, row, until)
}

function join(book: Book, place: Place, row: Bundle, until: number): void {
  place.order = until
  row.places.push(place)
  row.batched ||= book.messages.isShared(place.n)
  book.bundleOf.set(place, row)
  book.set(row)
}

/** Has a lease end at another time, under the same receipt, also where it has been lost. */
export async function extendLease(book: Book, group: Group, place: Place, until: number): Promise<void> {
  if (place.state === 'leased') {
    group.isEarly = true
    place.order = until
    book.save(place)
    book.changed = true
    return
  }
  const k: Key = ['l', group.g, numberOf(place.receipt!)]
  const row = (await book.get<Bundle>(k)) ?? { k, places: [] }
  place.lost = place.receipt = undefined
  await move(book, group, place, 'leased', until, row)
}

/** Takes a place out of where it stands. */
async function leave(book: Book, group: Group, place: Place, to?: State): Promise<void> {
  const { state } = place
  if (state === 'gone') return
  group.isEarly ||= state === 'leased' || state === 'waiting'
  await count(book, group, place, -1)
  if (state === 'leased' || state === 'blocked') {
    const row = book.bundleOf.get(place)!
    row.places.splice(row.places.indexOf(place), 1)
    if (row.places.length === 0) {
      if (state === 'blocked') await unblock(book, row)
      else book.remove(row.k)
      if (book.open.get(group.g) === row) book.open.delete(group.g)
    } else book.set(row)
    book.bundleOf.delete(place)
    if (state === 'leased') await probeLives(book, group, place, false)
  } else if (to === undefined || to === 'leased' || to === 'blocked') book.remove(place.k)
  place.state = 'gone'
  if (state === 'leased') book.wake(group, await book.flowOf(group, place.lane))
}

async function count(book: Book, group: Group, place: Place, by: 1 | -1): Promise<void> {
  const { state } = place
  if (state === 'gone') return
  group.counts[state] += by
  if (state === 'dead') return
  const flow = await book.flowOf(group, place.lane)
  if (state === 'leased') flow.leased += by
  else flow.behind += by
  if (state === 'ready') flow[place.again ? 'again' : 'freed'] += by
  if (state === 'ready' && by > 0) book.readied(flow, place)
  book.set(flow)
}

/** The group has a message to do no more, and it leaves its line and its key. */
export async function letGo(book: Book, group: Group, place: Place, frees = true): Promise<void> {
  const { state } = place
  // What is blocked or was never passed is not the first of its key.
  const isFirst =
    frees && state !== 'gone' && state !== 'dead' && state !== 'blocked' && place.key !== undefined
  await leave(book, group, place)
  place.lost = place.receipt = undefined
  await leaveLetter(book, group, place)
  place.progress = place.due = undefined
  if (isFirst) await free(book, group, place)
  book.changed = true
}

/** The first of a key is done, dead or dropped: the next one has its turn. */
async function free(book: Book, group: Group, { lane, key }: Place): Promise<void> {
  const next = await firstBlocked(book, keyOf(group, lane, key!))
  if (next !== undefined) await release(book, group, next)
  else await setKey(book, group, { lane, key }, { busy: false })
}

/** Nobody of its key is before it any more. */
export async function release(book: Book, group: Group, place: Place): Promise<void> {
  const { due = 0 } = place
  if (await stops(book, group, place)) return
  if (due > book.now) await move(book, group, place, 'waiting', due)
  else await move(book, group, place, 'ready')
}

/** Whether a dead letter of its key has it parked, which then it is. */
export async function stops(book: Book, group: Group, place: Place): Promise<boolean> {
  if (place.key === undefined || place.redriven) return false
  const row = await keyRow(book, group, place)
  if (row?.stop === undefined || row.stop > place.n) return false
  const letter = (await book.place(group, row.stop))!
  await setKey(book, group, place, { stop: undefined })
  place.behind = letter.n
  letter.stopped = place.n
  book.set(letter)
  await park(book, group, place, BEHIND_DEAD)
  return true
}

export async function park(
  book: Book,
  group: Group,
  place: Place,
  reason: string,
  data?: string,
): Promise<void> {
  place.id = idOf((await book.messages.get(place.n))!)
  place.error = reason
  place.parked = { reason, ...(data !== undefined && { data }), at: book.clock }
  place.lost = place.receipt = place.progress = undefined
  await move(book, group, place, 'parked')
}

/** It is parked no more, by no dead letter either. */
async function leaveLetter(book: Book, group: Group, place: Place): Promise<void> {
  const { behind, n } = place
  const letter = behind === undefined ? undefined : await book.place(group, behind)
  if (letter?.stopped === n) {
    letter.stopped = undefined
    book.set(letter)
  }
  place.parked = place.behind = undefined
}

/** It goes on, and its attempts are counted anew. */
export async function goOn(book: Book, group: Group, place: Place): Promise<void> {
  await leaveLetter(book, group, place)
  place.error = undefined
  place.attempt = 0
  await move(book, group, place, 'ready')
}

type DoneValue = Extract<Outcome, { status: 'done' }>['value']

/** A delivery was acked. */
export async function finish(book: Book, group: Group, place: Place, value: DoneValue): Promise<void> {
  if (place.keeps) await keep(book, group, place, { status: 'done', value, at: book.clock })
  group.acked++
  await freeProbed(book, group, place)
  await letGo(book, group, place)
  await settleEnd(book, group, place)
}

/** A group is done with a message: if it was the last, the message is over. */
export async function settleEnd(book: Book, group: Group, place: Place): Promise<void> {
  if (book.q.groups.length === 1) return await book.end(place, true)
  const message = (await book.messages.get(place.n))!
  if (message.only !== undefined) {
    message.only = message.only.filter((g) => g !== group.g)
    if (message.only.length > 0) return book.messages.put(message)
  } else {
    await book.setDone(place.n, [...(await book.doneBy(place.n)), group.g])
    if (await book.isRetained(message)) return await settleContent(book, place.n)
  }
  await book.end(ending(book, message), true)
}

/** A message becomes a dead letter of a group. */
export async function die(
  book: Book,
  group: Group,
  place: Place,
  reason: DeadReason,
  error: string | undefined,
  { deadForMs, parksNext }: Pick<DeadSettlement, 'deadForMs' | 'parksNext'>,
): Promise<void> {
  const { state, lost, key } = place
  const message = (await book.messages.get(place.n))!
  if (state === 'leased' || lost) group.failed++
  if (key !== undefined && parksNext === true) await setKey(book, group, place, { stop: place.n })
  await letGo(book, group, place, false)
  place.again = true
  place.error = error
  place.reason = reason
  place.deadAt = book.clock
  place.id = idOf(message)
  place.message = message
  place.end = deadForMs === undefined ? undefined : book.now + deadForMs
  place.receipt = receiptOf(group.g, 'd', ++book.q.ties, place.n, group.token)
  await move(book, group, place, 'dead')
  // The next of its key may be parked, and then finds it among the dead.
  if (key !== undefined && state !== 'gone' && state !== 'blocked') await free(book, group, place)
  await keep(book, group, place, {
    status: 'dead',
    reason,
    ...(error !== undefined && { error }),
    at: book.clock,
  })
  await settleEnd(book, group, place)
}

/** A dead letter is deleted. */
export async function forgetLetter(book: Book, group: Group, place: Place): Promise<void> {
  await leaveLetters(book, group, place)
  await leave(book, group, place)
  book.changed = true
  if (place.lane !== undefined) await book.tidy(place.lane)
}

async function leaveLetters(book: Book, group: Group, place: Place): Promise<void> {
  place.end = undefined
  if (place.key === undefined) return
  const row = await keyRow(book, group, place)
  if (row?.stop === place.n) await setKey(book, group, place, { stop: undefined })
}

/** A dead letter is to be delivered again: it goes first, and what it had parked goes on behind it. It expires no more. */
export async function redrive(book: Book, group: Group, place: Place, due: number): Promise<void> {
  const { n, key, stopped } = place
  const { g } = group
  await leaveLetters(book, group, place)
  await leave(book, group, place)
  const letter = place.message!
  const here = await book.messages.get(n)
  if (here === undefined || here.only !== undefined) {
    const only = [...(here?.only ?? []), g]
    const message = { ...(here ?? letter), only }
    // A later message may have its id.
    if (here === undefined && message.id !== undefined) {
      delete message.u
      if ((await book.messages.find(message.id)) === undefined && !message.superseded) message.u = message.id
    }
    book.messages.put(message)
    place.back = true
  } else {
    await book.setDone(
      n,
      (await book.doneBy(n)).filter((one) => one !== g),
    )
    // What others have edited it to meanwhile is not for this one.
    const { body, headers, maxAttempts, at } = letter
    if (here.edited) place.content ??= { body, headers, maxAttempts, at }
  }
  group.low = Math.min(group.low, n - 1)
  const [kept] = await keptOf(book, group, place.id!)
  // A later message of its id may have ended.
  if (kept?.n === n) book.remove(kept.k)
  // It may be gone meanwhile.
  if (place.lane !== undefined) await book.lane(place.lane)
  place.attempt = 0
  place.reason = place.deadAt = place.receipt = place.message = place.id = place.stopped = place.x = undefined
  place.lapses = place.error = undefined
  place.redriven = true
  place.due = due
  if (key !== undefined) {
    const parked = stopped === undefined ? undefined : await book.place(group, stopped)
    const isBehind = parked?.state === 'parked' && parked.behind === n
    if (!isBehind && (await keyRow(book, group, place))?.busy)
      return await move(book, group, place, 'blocked')
    await occupy(book, group, place)
    if (isBehind) {
      parked.parked = parked.behind = parked.error = undefined
      await move(book, group, parked, 'blocked')
    }
  }
  await release(book, group, place)
}

export function keptOf(book: Book, { g }: Group, id: string): Promise<Kept[]> {
  return book.line<Kept>(IDBKeyRange.bound([g, 'k', id], [g, 'k', id, []]), 1)
}

/** Keeps what became of a message in a group, for the time that it asks for. */
async function keep(book: Book, group: Group, place: Place, outcome: Outcome): Promise<void> {
  if (!place.keeps) return
  const message = place.message ?? (await book.messages.get(place.n))!
  const { keepMs, superseded, n, key, lane } = message
  const { at } = place.content ?? message
  if (keepMs === undefined || superseded) return
  const { g } = group
  const id = idOf(message)
  for (const kept of await keptOf(book, group, id)) book.remove(kept.k)
  const end = book.now + keepMs
  book.set({ k: ['o', g, n], n, id, attempt: place.attempt, outcome, end, key, lane, at } as Kept)
  book.finished.push(id)
}

export function receiptOf(...parts: readonly (string | number)[]): string {
  return parts.join(',')
}

/** The receipt of a lease. */
export function leaseReceipt({ token }: Group, { k }: Bundle, { n }: Place): string {
  return receiptOf(k[1]!, k[2]!, n, token)
}

/** The number of the lease that a receipt is of. */
function numberOf(receipt: string): number {
  return Number(receipt.split(',')[1])
}
