import { JSON_CODEC } from './codec.ts'
import type { AtOnce, Context, GroupDesk } from './context.ts'
import { claimOf } from './line.ts'
import { uuid } from '../message-id.ts'
import type { Part, VerbsAtOnce } from '../storage.ts'

const NOTHING: readonly never[] = []

/**
 * What a queue asks {@link VerbsAtOnce} by. A storage that has them brings it, so that queues on others do not carry it.
 *
 * ```ts
 * const atOnce: VerbsAtOnce = { of: view, askedBy: askAtOnce, clock, copyOf, append, claim, settle }
 * ```
 */
export const askAtOnce: Part = <T>(context: Context<T>, verbs: VerbsAtOnce): AtOnce => {
  const { codec, id, maxMessages, maxBytes, clock, instrumentation } = context.options
  // Whoever observes may take time between the look at the clock and the call.
  const isOneClock = verbs.clock === clock && instrumentation === undefined
  // Limits of the queue may take turns to look after.
  const appends = (maxMessages ?? maxBytes) === undefined
  const values = appends && codec === JSON_CODEC ? verbs.copyOf : undefined
  /** Of the appends of one millisecond: the storage numbers all messages of a queue. */
  let batchId = ''
  let idAt = -1

  const time = (): number | undefined => (isOneClock ? context.at : undefined)

  const claim: AtOnce['claim'] = (request) => verbs.claim(request, values !== undefined, time())

  const settle: AtOnce['settle'] = (group, settlements) => verbs.settle(group, settlements, time())

  const isFree = (desk: GroupDesk): boolean =>
    context.unmade.length === 0 && context.breathe() === undefined && desk.isFree(context.at)

  return {
    values,

    append(messages) {
      if (!appends || context.breathe() !== undefined) return undefined
      const { at, unmade } = context
      if (at !== idAt || id !== uuid) batchId = id()
      idAt = at
      const results = verbs.append(messages, { batchId, groups: unmade }, time())
      context.made(unmade)
      context.activity?.count('sent', results.length)
      return results
    },

    take(desk, line, limit) {
      if (desk.isAwaited || !isFree(desk)) return undefined
      const most = Math.min(limit, context.guarantees.maxBatch)
      const { deliveries, nextInMs, position } = claim(
        claimOf(desk.group, line.terms, most, NOTHING, undefined, line.position),
      )
      line.position = position
      return deliveries.length === 0 && nextInMs === 0 ? undefined : deliveries
    },

    end(desk, settlements) {
      if (!isFree(desk)) return undefined
      const results = settle(desk.group, settlements)
      desk.stir()
      return results
    },

    claim,
    settle,
  }
}
