import { damaged } from '../errors.ts'
import type { Body } from '../storage.ts'
import type { LongBody, Stored } from './rows.ts'
import { sizeOfBody } from './segment.ts'
import { type Key, type Table, compareKeys } from './store.ts'
import { type Group, type Work, edit } from './work.ts'

/**
 * Long bodies have rows of their own, so that whoever looks at a message, or moves it about in its group, need not read and
 * write what it carries. In its place in other rows is a {@link LongBody}.
 *
 * Each belongs to one place and goes with it: to a message of the log, to a delayed message, or to what a group has of a message
 * outside the log, in whatever of its rows. A message that comes to another of these places takes a copy along.
 */

export function isLong(body: Body | LongBody): body is LongBody {
  return typeof body === 'object' && body !== null && !ArrayBuffer.isView(body)
}

/** Those of the log and of delayed messages have numbers. */
export function tableOf(at: Key): Table {
  return typeof at === 'number' ? 'bodies' : 'copies'
}

/** Answers with what stands for a body in the rows of a place, and puts it there, if it is long. */
export function putBody(work: Work, at: Key, body: Body | LongBody): Body | LongBody {
  const isElsewhere = isLong(body)
  if (isElsewhere ? compareKeys(body.at, at) === 0 : sizeOfBody(body) <= work.limits.bodyBytes) return body
  work.tx.put(tableOf(at), at, isElsewhere ? bodyOf(work, body) : body)
  edit(work.root).longBodies = true
  return { length: body.length, at }
}

/** A message as it stands in the rows of a group. */
export function owned(group: Group, seq: number, message: Stored): Stored {
  const body = putBody(group.work, [group.name, seq], message.body)
  return body === message.body ? message : { ...message, body }
}

/** A place has no long body any more, if it had one. */
export function dropBody({ root, tx }: Work, at: Key): void {
  if (root.queue.longBodies) tx.delete(tableOf(at), at)
}

/** A group has no more to do with a message: what it had of its body outside the log goes. */
export function dropOwned({ work, name }: Group, seq: number): void {
  dropBody(work, [name, seq])
}

function bodyOf({ tx, name }: Work, { at }: LongBody): Body {
  const body = tx.get<Body>(tableOf(at), at)
  if (body === undefined) throw damaged(name)
  return body
}

/** Has long bodies be read at once that are about to be. */
export function expectBodies({ tx }: Work, bodies: readonly (Body | LongBody)[]): void {
  tx.expect?.(bodies.flatMap((body) => (isLong(body) ? [[tableOf(body.at), body.at] as const] : [])))
}

/** An answer that is about to be given: has its messages carry their bodies. */
export function carryBodies(work: Work, messages: readonly { readonly body: Body | LongBody }[]): void {
  if (!work.root.queue.longBodies) return
  const long = messages.filter(({ body }) => isLong(body)) as { body: Body | LongBody }[]
  expectBodies(
    work,
    long.map(({ body }) => body),
  )
  for (const message of long) message.body = bodyOf(work, message.body as LongBody)
}
