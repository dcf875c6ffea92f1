import { checkText, invalid, nameOf } from '../check.ts'
import { MAX_NAME_BYTES } from '../storage.ts'

/** Between whose a request is and where it goes, in the name of its lane. Neither has one in it. */
const BETWEEN = ' '
/** The longest name of a lane, in bytes. */
const MOST = 128
/** The most of it that says whose it is. */
const MOST_OF_OWNER = 48

/** How the names begin under which a message says what outboxes have to know. */
export const OURS = 'quayside-'

/** Under which name a message says whose it is, where it is somebody's. */
export const OWNER = 'quayside-owner'

/** Under which name a message says after whose acceptance it may go. */
export const AFTER = 'quayside-after'

/**
 * How the names of all lanes of an owner start; the empty text is nobody. The name itself is that of a lane in which nothing
 * ever waits: see {@link Session.signOut}.
 */
export function prefixOf(owner: string): string {
  return bounded('owner', owner, MOST_OF_OWNER) + BETWEEN
}

/** The lane of what an owner sends to a destination: what rests there rests alone. */
export function laneOf(owner: string, destination: string): string {
  const prefix = prefixOf(owner)
  // The lane of that name bars its owner.
  if (destination === '') throw invalid('outbox', 'destination must not be empty', destination)
  return prefix + bounded('destination', destination, MOST - prefix.length)
}

/** In an id of the queue: between the id that a request was given, and whose it is. */
const OF = '\u001f'

/** The id under which the queue has a request of an owner: others may have given theirs the same. */
export function queueId(id: string, owner: string): string {
  if (owner === '') return id
  // A hash, because what an id ends with may be known for longer than what belongs to an owner.
  const end = OF + hashesOf(owner)
  // It may be that of the queue already.
  return id.endsWith(end) ? id : id + end
}

/** The longest id that a request may be given where it becomes longer, in bytes. */
const MOST_OF_GIVEN = MAX_NAME_BYTES - 15

/** Checks an id that a request is given, where requests have owners or have none. */
export function checkGiven(tried: string, what: string, id: string, hasOwner: boolean): void {
  nameOf(hasOwner ? MOST_OF_GIVEN : MAX_NAME_BYTES)(tried, what, id)
  if (id !== givenId(id)) throw invalid(tried, `${what} must have no U+001F`, id)
}

/** The id that a request was given. */
export function givenId(id: string): string {
  return id.split(OF, 1)[0]!
}

/** A message as hooks see it, under that id. */
export function asGiven<M extends { readonly id: string }>(message: M): M {
  const id = givenId(message.id)
  if (id === message.id) return message
  return new Proxy(message, {
    get(one, name) {
      if (name === 'id') return id
      const value: unknown = Reflect.get(one, name)
      // Its verbs look into the message itself.
      return typeof value === 'function' ? value.bind(one) : value
    },
  })
}

export function destinationOf(lane: string): string {
  return lane.slice(lane.indexOf(BETWEEN) + 1)
}

/** ASCII of a bounded length, without spaces. What is too long ends in a hash of all of it. */
function bounded(what: string, text: string, most: number): string {
  checkText('outbox', what, text)
  let safe: string
  try {
    safe = encodeURI(text)
  } catch {
    throw invalid('outbox', `${what} must be well-formed Unicode`, text)
  }
  if (safe.length <= most) return safe
  const hash = `~${hashesOf(text)}`
  return safe.slice(0, most - hash.length) + hash
}

function hashesOf(text: string): string {
  return hashOf(text, 1) + hashOf(text, 2)
}

/** Tells apart what is long and begins alike: nobody is let in by it. */
function hashOf(text: string, seed: number): string {
  let hash = seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193 + seed)
  return (hash >>> 0).toString(36)
}
