import { h } from './dom.ts'
import type { InspectedQueue, Shown } from './inspected-queue.ts'

const PAGE = 200

/** Reads all messages of a group, dead letters last. */
export async function allOf(queue: InspectedQueue, group: string): Promise<Shown[]> {
  const messages: Shown[] = []
  for (const list of [
    (cursor?: string) => queue.list({ group, limit: PAGE, cursor }),
    (cursor?: string) => queue.deadLetters(group).list({ limit: PAGE, cursor }),
  ]) {
    let cursor: string | undefined
    do {
      const page = await list(cursor)
      messages.push(...page.messages)
      cursor = page.cursor
    } while (cursor !== undefined)
  }
  return messages
}

/** Hands the browser a JSON file with the messages of a group. Bytes become `{ "base64": … }`. */
export async function download(queue: InspectedQueue, group: string): Promise<number> {
  const messages = await allOf(queue, group)
  const exportedAt = new Date().toISOString()
  const json = JSON.stringify({ queue: queue.name, group, exportedAt, messages }, portable, 2)
  const href = URL.createObjectURL(new Blob([json], { type: 'application/json' }))
  h('a', { href, download: `${queue.name}-${group}.json` }).click()
  setTimeout(() => URL.revokeObjectURL(href), 60_000) // the browser may still be asking where to
  return messages.length
}

function portable(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (!(value instanceof Uint8Array)) return value
  let binary = ''
  for (let i = 0; i < value.length; i += 8192) {
    binary += String.fromCharCode(...value.subarray(i, i + 8192))
  }
  return { base64: btoa(binary) }
}
