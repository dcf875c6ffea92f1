import type { SCRIPTS, Script } from './scripts.ts'

/** One argument of a command. */
export type Argument = string | Uint8Array

/** What the adapter needs of whatever leads to a server. */
export interface Connection {
  /** Whether the client finds out by itself which node has a key. */
  readonly isCluster: boolean
  /** What keys have to begin with, because the user has told the client so and it does not see to it itself. */
  readonly keyPrefix: string
  /** What the server has in front of our keys after all. Scripts publish under what they find in their keys. */
  readonly channelPrefix: string
  /** What else the script of a verb is to do, a letter for each: see `lua/parts/rows.lua`. */
  marks?(verb: keyof typeof SCRIPTS): string
  /** Sends a command about a key, to a primary. Replies are numbers, arrays, null, and bytes for all that is text. */
  send(key: string, args: readonly Argument[]): Promise<unknown>
  /** What sends commands to each server that has keys. */
  primaries(): Promise<readonly ((args: readonly Argument[]) => Promise<unknown>)[]>
}

/**
 * Runs a script by its digest; where the server does not know it, with its text, which makes it known.
 *
 * While a node of a cluster hands over a slot, it answers for keys that it still has, and sends on whoever asks for others.
 * A script that has begun would be ended there, with half of its work done, or would miss what has moved. But a node looks
 * first at the keys that are declared: with one among them that never exists, it lets no script begin until all is moved.
 */
export async function runScript(
  connection: Connection,
  { sha, text }: Script,
  key: string,
  args: readonly Argument[],
): Promise<unknown> {
  // In lower case: iovalkey, and ioredis 5, do not see keys in commands that they do not know.
  const common = ['2', key, `${key}:never`, ...args]
  try {
    return await connection.send(key, ['evalsha', sha, ...common])
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return await connection.send(key, ['eval', text, ...common])
  }
}
