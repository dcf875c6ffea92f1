import { invalid } from '../check.ts'

/** Between whose a request is and where it goes, in the name of its lane. Neither has one in it. */
const BETWEEN = ' '
/** The longest name of a lane, in bytes. */
const MOST = 128
/** The most of it that says whose it is. */
const MOST_OF_OWNER = 48

/** Under which name a message says whose it is, where it is somebody's. */
export const OWNER = 'quayside-owner'

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
  return prefix + bounded('destination', destination, MOST - prefix.length)
}

export function destinationOf(lane: string): string {
  return lane.slice(lane.indexOf(BETWEEN) + 1)
}

/** ASCII of a bounded length, without spaces. What is too long ends in a hash of all of it. */
function bounded(what: string, text: string, most: number): string {
  let safe: string
  try {
    safe = encodeURI(text)
  } catch {
    throw invalid('outbox', `${what} must be well-formed Unicode`, text)
  }
  if (safe.length <= most) return safe
  const hash = `~${hashOf(text, 1)}${hashOf(text, 2)}`
  return safe.slice(0, most - hash.length) + hash
}

/** Tells apart what is long and begins alike: nobody is let in by it. */
function hashOf(text: string, seed: number): string {
  let hash = seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193 + seed)
  return (hash >>> 0).toString(36)
}
