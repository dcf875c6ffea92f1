import { type ErrorCode, QuaysideError } from '../../src/errors.ts'

/** What the server refuses with, and so certainly has not done; see https://redis.io/docs for the prefixes. */
const REFUSALS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  OOM: ['QUOTA_EXCEEDED', 'the server has used its maxmemory: let consumers catch up, or raise maxmemory'],
  EVICTS: [
    'STORAGE_UNAVAILABLE',
    'the server deletes messages when its memory is full: set its maxmemory-policy to noeviction',
  ],
  READONLY: ['STORAGE_UNAVAILABLE', 'this server is a replica: give the adapter a client of the primary'],
  LOADING: ['STORAGE_UNAVAILABLE', 'the server is loading its data: try again'],
  MISCONF: [
    'STORAGE_UNAVAILABLE',
    'the server cannot save its data to disk, and so takes no writes: see its log',
  ],
  BUSY: ['STORAGE_UNAVAILABLE', 'another script keeps the server busy: try again'],
  MASTERDOWN: ['STORAGE_UNAVAILABLE', 'the replica has lost its primary: try again'],
  CLUSTERDOWN: ['STORAGE_UNAVAILABLE', 'the cluster is down: try again'],
  TRYAGAIN: ['STORAGE_UNAVAILABLE', 'the cluster is moving this queue to another node: try again'],
  MOVED: [
    'STORAGE_UNAVAILABLE',
    'this node does not have the queue: give the adapter a client of the cluster',
  ],
  ASK: [
    'STORAGE_UNAVAILABLE',
    'the cluster is moving this queue to another node: try again, with a client of the cluster',
  ],
  CROSSSLOT: [
    'STORAGE_UNAVAILABLE',
    'the keyPrefix of the client scatters the keys of a queue over the cluster: choose one without {}',
  ],
  NOREPLICAS: ['STORAGE_UNAVAILABLE', 'too few replicas are there (min-replicas-to-write): try again'],
  DENIED: ['STORAGE_UNAVAILABLE', 'the server is in protected mode, and takes nobody from elsewhere'],
  NOAUTH: ['STORAGE_UNAVAILABLE', 'the client has to log in: give it a password'],
  WRONGPASS: ['STORAGE_UNAVAILABLE', 'the password of the client is wrong'],
  NOPERM: [
    'STORAGE_UNAVAILABLE',
    'the user of the client, or its token, may not run scripts on these keys: see the ACL rules, or take the token that may write',
  ],
}

/**
 * Names, codes and texts of errors that clients give for commands that were never sent, and of the server for connections
 * that it refuses. `TimeoutError` is none: the package `redis` gives it to those that still wait to be sent, and to some that
 * were; nor are those that end a connection, or the tries to make one again, of which some commands were in flight.
 */
const NEVER_SENT =
  /^(ECONNREFUSED|ENOTFOUND|ENOENT|EAI_AGAIN|EACCES|ClientClosedError|ClientOfflineError|The queue is full|-?ERR max number of clients.*)$|enableOfflineQueue/
/** The same codes come from a connection that broke, for what was sent on it. */
const CONNECTING: readonly unknown[] = ['connect', 'getaddrinfo', undefined]

/** What the package `redis` stumbles over where no node has the slot of a key, or where it is sent to one that it does not know. */
const NO_NODE = /^(Cannot read properties of undefined \(reading 'master'\)|Cannot find node .*)$/

/** What a cluster does not take while it changes. Clients follow it for a while themselves, and wrap what they were told last. */
const CHANGES = /^(TRYAGAIN|CLUSTERDOWN) /
const REDIRECTIONS = /^(ASK|MOVED) /

/** How the server ends the text of an error that came up when a script was under way already. */
const IN_SCRIPT = / script: [0-9a-f]{40}/

/**
 * How the server tells that a script has stumbled over what it read: a key of another type, or a value that is not what it
 * must be. Of what the scripts have written, they make no such errors, unless an operator ends one or forbids a command.
 */
const STUMBLED =
  /^-?(WRONGTYPE|ERR) (?!.*(script killed|unknown redis command|can't run|not allowed|non local key))/i

/** What a connection of ours rejects with, which knows what it means. */
export class Failure extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Makes of what a client rejected with what contract 1 asks for. */
export function toQuaysideError(tried: string, cause: unknown): QuaysideError {
  if (cause instanceof QuaysideError) return cause
  if (cause instanceof Failure) return new QuaysideError(cause.code, `${tried}: ${cause.message}`, { cause })
  const { name, code } = (cause ?? {}) as Partial<Error & { code: string }>
  const message = textOf(cause)
  const refusal = REFUSALS[/^-?([A-Z]+)\b/.exec(message)?.[1] ?? '']
  if (refusal !== undefined && !IN_SCRIPT.test(message))
    return new QuaysideError(refusal[0], `${tried}: ${refusal[1]} (${message})`, { cause })
  if (STUMBLED.test(message) && IN_SCRIPT.test(message)) return damaged(tried, cause)
  const kinds = [name, code, message, (cause as object | undefined)?.constructor?.name]
  const { syscall } = (cause ?? {}) as { syscall?: unknown }
  const isNeverSent =
    CONNECTING.includes(syscall) && kinds.some((kind) => kind !== undefined && NEVER_SENT.test(kind))
  if (isNeverSent || NO_NODE.test(message)) {
    const text = `${tried}: the server cannot be reached; nothing was changed (${message})`
    return new QuaysideError('STORAGE_UNAVAILABLE', text, { cause })
  }
  const text = `${tried}: the connection broke or the server failed; whether it was done is unknown (${message})`
  return new QuaysideError('STORAGE_FAILED', text, { cause })
}

/** Whether trying again in a moment is likely to help, and the server has certainly done nothing. */
export function isPassing(cause: unknown, isCluster: boolean): boolean {
  const message = textOf(cause)
  if (IN_SCRIPT.test(message)) return false
  return CHANGES.test(message) || (isCluster && (REDIRECTIONS.test(message) || NO_NODE.test(message)))
}

/** What the server has said, or else the client. */
function textOf(cause: unknown): string {
  const { message = String(cause), cause: inner } = (cause ?? {}) as Partial<Error>
  if (!message.startsWith('Too many Cluster redirections')) return message
  return inner instanceof Error ? inner.message : message.replace(/^.*Last error: (\w*Error: )?/s, '')
}

function damaged(tried: string, cause: unknown): QuaysideError {
  return new QuaysideError(
    'CORRUPT',
    `${tried}: what is stored of the queue is not as it was written: another client has changed it. Other queues are not concerned; purge() or delete() starts this one anew (${(cause as Error).message})`,
    { cause },
  )
}

/** Reads an answer, which has parts of what is stored. */
export function trustReply<T>(tried: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw damaged(tried, error)
  }
}
