import { toText } from './bytes.ts'
import type { Connection } from './connection.ts'

/** How many keys a server looks at in one step. */
const COUNT = '1000'

/** The names of all keys, on all servers that have some, that begin and end so. Those between may be many. */
export async function keysOf(connection: Connection, start: string, end: string): Promise<string[]> {
  const prefix = connection.channelPrefix
  const found = new Set<string>()
  const pattern = `${(prefix + start).replaceAll(/[*?[\]\\]/g, String.raw`\$&`)}*${end}`
  for (const ask of await connection.primaries()) {
    let cursor = '0'
    do {
      const reply = await ask(['scan', cursor, 'MATCH', pattern, 'COUNT', COUNT])
      const [next, keys] = reply as [Uint8Array, readonly Uint8Array[]]
      for (const key of keys) found.add(toText(key).slice(prefix.length))
      cursor = toText(next)
    } while (cursor !== '0')
  }
  return [...found]
}
