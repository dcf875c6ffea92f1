import {
  type ListPage,
  type ListedMessage,
  type MessageState,
  type Queue,
  cancel,
  deadLetters,
  list,
  purge,
  result,
  resume,
  takeOnly,
} from '../core/lean/index.ts'
import { pages } from './pages.ts'
import type { OutboxPayload } from './request.ts'
import { GROUP, has } from './lanes.ts'
import { AFTER, OWNER, queueId } from './places.ts'
import { type KeptAnswer, answerIn, answerOfError } from './verdict.ts'

/** All that is neither done nor dead. */
export const WAITING: readonly MessageState[] = ['ready', 'leased', 'delayed', 'blocked', 'parked']

/** All but what is done. */
export const ALL_STATES: readonly MessageState[] = [...WAITING, 'dead']

/** A message, without what it carries. Of several of one id it is the one that somebody has to decide on. */
export async function find(
  queue: Queue<OutboxPayload>,
  id: string,
): Promise<ListedMessage<OutboxPayload> | undefined> {
  const { messages } = await list(queue, { ids: [id], state: ALL_STATES, bodies: false })
  return messages.find(({ state }) => state === 'parked' || state === 'dead') ?? messages[0]
}

/** How a request has ended that is neither waiting nor parked. */
export interface End {
  /** `purged`: nothing is known of it. */
  readonly state: 'accepted' | 'dead' | 'expired' | 'purged'
  /** What the server said, if it is kept. */
  readonly answer?: KeptAnswer | undefined
}

/** Ask it after a list: what is gone from that has left an outcome by then. */
export async function endOf(queue: Queue<OutboxPayload>, id: string): Promise<End> {
  const end = has(queue, 'results') ? await result(queue, id) : undefined
  if (end?.status === 'done') return { state: 'accepted', answer: answerIn(end.value) }
  if (end?.status !== 'dead') return { state: 'purged' }
  if (end.reason === 'expired') return { state: 'expired' }
  return { state: 'dead', answer: answerOfError(end.error) }
}

/** An owner's messages, page by page, without what they carry. @param prefix `undefined`: of all. */
export async function* owned(
  queue: Queue<OutboxPayload>,
  prefix: string | undefined,
  state: readonly MessageState[] = WAITING,
): AsyncGenerator<readonly ListedMessage<OutboxPayload>[]> {
  const read = (cursor?: string): Promise<ListPage<ListedMessage<OutboxPayload>>> =>
    list(queue, { state, bodies: false, cursor, limit: 1000 })
  for await (const { messages } of pages(read)) {
    const own = messages.filter(({ lane }) => prefix === undefined || lane?.startsWith(prefix))
    if (own.length > 0) yield own
  }
}

/** What is to be sent without anybody's doing: not what is parked, nor what is blocked by it or comes after it. */
export async function unsettled(
  queue: Queue<OutboxPayload>,
  prefix: string | undefined,
  key?: string,
): Promise<readonly ListedMessage<OutboxPayload>[]> {
  type One = ListedMessage<OutboxPayload>
  const left = new Set<One>()
  for await (const page of owned(queue, prefix)) for (const one of page) left.add(one)
  const stuck = [...left].filter(({ state }) => state === 'parked')
  /** Those that may have to wait, by what for: an id, or a key. */
  const behind = new Map<string, One[]>()
  const wait = (name: string, one: One): void => {
    const others = behind.get(name)
    if (others === undefined) behind.set(name, [one])
    else others.push(one)
  }
  const idName = (id: string): string => `id ${id}`
  const keyName = ({ lane, key: own }: One): string | undefined =>
    own === undefined ? undefined : `key ${lane} ${own}`
  for (const one of left) {
    if (one.state === 'leased') continue
    const { [AFTER]: after, [OWNER]: owner = '' } = one.headers
    const name = keyName(one)
    if (after) wait(idName(queueId(after, owner)), one)
    if (name) wait(name, one)
  }
  // It grows meanwhile: a child may be listed before its parent.
  for (const one of stuck) {
    left.delete(one)
    // What was not tried yet may be behind others itself.
    const stopsKey = one.state === 'parked' || one.lastError !== undefined
    for (const name of [idName(one.id), stopsKey ? keyName(one) : undefined]) {
      if (name === undefined) continue
      for (const other of behind.get(name) ?? []) if (left.has(other)) stuck.push(other)
      behind.delete(name)
    }
  }
  return [...left].filter((one) => key === undefined || one.key === key)
}

/** So many messages of its own it stores at a time. */
const AT_ONCE = 100

/** Deletes all that an owner has in the queue: what waits, dead letters, and kept answers. */
export async function drop(
  queue: Queue<OutboxPayload>,
  prefix: string | undefined,
  cancelAll: (all: AsyncIterable<readonly ListedMessage<OutboxPayload>[]>) => Promise<number>,
): Promise<void> {
  // What moves while it is looked at is found by the next look.
  while ((await cancelAll(owned(queue, prefix))) > 0);
  if (prefix === undefined) return await purge(queue)
  const gone = new Set<string>()
  for await (const page of owned(queue, prefix, ['dead'])) for (const { id } of page) gone.add(id)
  await deadLetters(queue).delete([...gone])
  const consumer = queue.createConsumer(GROUP)
  takeOnly(consumer, prefix)
  for (let left = true; left;) {
    // A parked one that a newer one of its id hides is known by that id no more: it has to be claimed.
    for await (const page of owned(queue, prefix, ['parked']))
      await resume(
        queue,
        page.map(({ id }) => id),
      )
    // And what was cancelled is deleted when somebody comes to it.
    for (let late; (late = await consumer.receive()) !== undefined;) {
      const { id } = late
      if ((await cancel(queue, [id]))[0]) continue
      await late.ack().catch(() => undefined)
      gone.add(id)
    }
    left = !(await owned(queue, prefix).next()).done
  }
  if (!has(queue, 'results')) return
  const kept: string[] = []
  const read = (cursor?: string): Promise<ListPage<ListedMessage<OutboxPayload>>> =>
    list(queue, { state: 'done', cursor })
  for await (const { messages } of pages(read))
    for (const { id, lane } of messages) if (gone.has(id) || lane?.startsWith(prefix)) kept.push(id)
  const producer = queue.createProducer()
  // A message forgets what was kept of earlier ones of its id; one that replaces another, though that is still known.
  const blank = (id: string): Promise<unknown> =>
    producer.send({ method: 'GET', url: 'about:blank', headers: {} }, { id, delayMs: 60_000, replace: true })
  while (kept.length > 0) {
    const ids = kept.splice(0, AT_ONCE)
    await Promise.all(ids.map(blank))
    await cancel(queue, ids)
  }
}
