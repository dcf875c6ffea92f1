import { QuaysideError } from '../../src/errors.ts'
import type { SCRIPTS } from './scripts.ts'

type Verb = keyof typeof SCRIPTS

const BYTES = /^b$/
const NUMBER = /^n$/

/** What the scripts answer with, in the letters of {@link kindsOf}. */
const REPLIES: Readonly<Record<Verb, RegExp>> = {
  append: /^\[(bnn|bbnn)$/,
  claim: /^\[bnnbb/,
  list: /^\[bbb/,
  lanes: /^\[b/,
  results: /^\[/,
  stats: /^(b$|\[\[nnnn)/,
  settle: BYTES,
  cancel: BYTES,
  retryNow: BYTES,
  resume: BYTES,
  hold: /^0$/,
  release: NUMBER,
  deleteGroup: NUMBER,
  purge: NUMBER,
  delete: NUMBER,
  tidy: NUMBER,
}

/** No reply is told by more of its parts. */
const TELLING = 5

function kindOf(part: unknown): string {
  if (part === null) return '0'
  if (typeof part === 'number') return 'n'
  // They may be of another realm, as the buffers that clients have are in Jest's jsdom.
  if (ArrayBuffer.isView(part)) return 'b'
  return Array.isArray(part) ? '[' : '?'
}

function kindsOf(reply: unknown): string {
  return kindOf(reply) + (Array.isArray(reply) ? reply.slice(0, TELLING).map(kindOf).join('') : '')
}

/** A server answers as its scripts do; whoever stands between may not, or may be something else. */
export function checkReply(verb: Verb, reply: unknown): void {
  if (REPLIES[verb].test(kindsOf(reply))) return
  throw new QuaysideError(
    'STORAGE_FAILED',
    `${verb}: this is no answer of a script of quayside, so something else answers in place of Redis, or changes what it says; whether it was done is unknown (${JSON.stringify(reply)?.slice(0, 100)})`,
  )
}
