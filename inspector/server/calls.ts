import type { InspectedQueue } from '../inspected-queue.ts'

/** What a page asks of a queue, and what the handler does for it. The names are those of `Queue`. */
export type Verb = Look | Change

type Look = 'stats' | 'list' | 'lanes' | 'deadLetters'
type Change = 'redrive' | 'delete' | 'cancel' | 'retryNow' | 'resume' | 'edit' | 'hold' | 'release'

/** The most that a page of a list has. */
const MOST = 500

type Run = (queue: InspectedQueue, ...args: never[]) => unknown

/** Bounded, where it is a number at all. */
function limited<T extends { readonly limit?: number | undefined }>(options: T): T & { limit: number } {
  const { limit = MOST } = options ?? {}
  return { ...options, limit: limit > MOST ? MOST : limit }
}

const looks: Readonly<Record<Look, Run>> = {
  stats: (queue) => queue.stats(),
  list: (queue, options: Parameters<InspectedQueue['list']>[0]) => queue.list(limited(options)),
  lanes: (queue, options: Parameters<InspectedQueue['lanes']>[0]) => queue.lanes(limited(options)),
  deadLetters: (queue, group: string, options: { limit: number }) =>
    queue.deadLetters(group).list(limited(options)),
}

const changes: Readonly<Record<Change, Run>> = {
  redrive: (queue, group: string, ids?: string[]) => queue.deadLetters(group).redrive(ids ?? undefined),
  delete: (queue, group: string, ids?: string[]) => queue.deadLetters(group).delete(ids ?? undefined),
  cancel: (queue, ids: string[]) => queue.cancel(ids),
  retryNow: (queue, ids: string[] | null, options: { group: string }) =>
    queue.retryNow(ids ?? undefined, options),
  resume: (queue, ids: string[], options: { group: string }) => queue.resume(ids, options),
  edit: (queue, id: string, payload: never, options: Parameters<InspectedQueue['edit']>[2]) =>
    queue.edit(id, payload, options),
  hold: (queue, place: Parameters<InspectedQueue['hold']>[0]) => queue.hold(place),
  release: (queue, place: Parameters<InspectedQueue['release']>[0]) => queue.release(place),
}

const VERBS: Readonly<Record<Verb, Run>> = { ...looks, ...changes }

/** Whether there is such a verb. */
export function isVerb(verb: unknown): verb is Verb {
  return typeof verb === 'string' && Object.hasOwn(VERBS, verb)
}

export function isChange(verb: Verb): boolean {
  return Object.hasOwn(changes, verb)
}

/** Arguments are what somebody sent: the queue checks them. */
export async function call(queue: InspectedQueue, verb: Verb, args: readonly unknown[]): Promise<unknown> {
  return await VERBS[verb](queue, ...(args as never[]))
}
