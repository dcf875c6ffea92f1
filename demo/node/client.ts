// The client: sends every line of a file to the ingest server, and each until it is accepted.
//
//   node client.ts FILE INGEST_URL
import { setTimeout as sleep } from 'node:timers/promises'
import { lineId, readLines } from './lines.ts'
import type { FromClient, ToClient } from './messages.ts'
import { post } from './post.ts'
import { hearParent, tellParent } from './parent.ts'

const CONCURRENCY = 64

const [file, firstUrl] = process.argv.slice(2) as [string, string]
const lines = readLines(file)
let url = firstUrl
const total = { accepted: 0, repeated: 0, duplicates: 0 }
const refused: string[] = []

/** Sends a line until there is an answer. Each attempt has the same id, so that the queue knows it again. */
async function send(index: number): Promise<void> {
  const id = lineId(index)
  for (;;) {
    const response = await post(url, id, lines[index]!).catch(() => undefined)
    if (response?.status === 202) {
      total.accepted++
      if (response.body.includes('duplicate')) total.duplicates++
      return
    }
    if (response !== undefined && response.status < 500) {
      refused.push(`${id}: ${response.status} ${response.body}`)
      return
    }
    total.repeated++
    await sleep(50 + Math.random() * 200)
  }
}

let next = 0
async function sendLines(): Promise<void> {
  while (next < lines.length) {
    await send(next++)
    // Often enough for main.ts to kill the server in the middle of a short file too.
    if (total.accepted % Math.ceil(lines.length / 100) === 0) tell(false)
  }
}

function tell(done: boolean): void {
  tellParent<FromClient>({ ...total, refused: refused.slice(0, 5), done })
}

hearParent<ToClient>((message) => {
  url = message
})
await Promise.all(Array.from({ length: CONCURRENCY }, sendLines))
tell(true)
process.disconnect()
