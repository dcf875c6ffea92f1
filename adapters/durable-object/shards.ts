/**
 * Which shard of a queue has what. A message with a key lies where its key says, and one with an id where its id says; each
 * is then found again without asking the others. Ids that a shard makes itself say where it is, too: they have its number in
 * two digits of the batch's UUID. Ids of callers that look like these count as such.
 */

/** Two hexadecimal digits. */
export const MAX_SHARDS = 256

/** Of the 28 characters that an id has of its batch, the last two: see `src/segments/ids.ts`. */
const DIGITS = 26
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** The name of a queue's object. The `#` of its own name is doubled, so that it is never taken for a shard of another. */
export function nameOfObject(queue: string): string {
  return queue.replaceAll('#', '##')
}

export function nameOfShard(queue: string, shard: number): string {
  return `${nameOfObject(queue)}#${shard}`
}

/** FNV-1a, 32 bits. Part of what is stored: another hash would look elsewhere for what lies there. */
export function shardOfKey(key: string, shards: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i)
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193)
    hash = Math.imul(hash ^ (unit >> 8), 0x01000193)
  }
  return (hash >>> 0) % shards
}

export function shardOfId(id: string, shards: number): number {
  if (!UUID.test(id)) return shardOfKey(id, shards)
  return Number.parseInt(id.slice(DIGITS, DIGITS + 2), 16) % shards
}

/** The batch id of which a shard makes ids. */
export function batchIdOf(shard: number, batchId: string): string {
  return batchId.slice(0, DIGITS) + shard.toString(16).padStart(2, '0') + batchId.slice(DIGITS + 2)
}

/** A receipt or cursor of a shard, as the outside has it. */
export function mark(shard: number, token: string): string {
  return `${shard}:${token}`
}

/** The shard and what it gave. A token that no shard gave has none. */
export function unmark(token: string, shards: number): readonly [shard: number, token: string] | undefined {
  const [, digits, own] = /^(0|[1-9]\d{0,2}):(.*)$/s.exec(token) ?? []
  return digits !== undefined && Number(digits) < shards ? [Number(digits), own!] : undefined
}
