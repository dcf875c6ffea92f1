import { expect, test } from 'vitest'
import { temporaryDirectory } from '../fs/temporary.ts'
import { effort } from '../support/effort.ts'
import { quayside } from './quayside.ts'

const SECRET = 'hunter2'

/** Nobody listens at any of these. */
const URLS: readonly string[] = [
  `redis://user:${SECRET}@127.0.0.1:1`,
  `redis://user:x@${SECRET}@127.0.0.1:1`,
  `redis://:x/${SECRET}/@127.0.0.1:1#mine`,
  `redis://127.0.0.1:1/${SECRET}@127.0.0.1:1`,
  `redis://:${SECRET}#${SECRET}@127.0.0.1:1`,
  `rediss://${SECRET}@127.0.0.1:1`,
  `redis://user:${SECRET}@no such host`,
  `redis://user:%${SECRET}@[::1`,
  `postgres://user:${SECRET}@127.0.0.1/db`,
  `HTTP://user:x/${SECRET}@127.0.0.1`,
  `redis:user:${SECRET}@127.0.0.1`,
  `user:x/${SECRET}@127.0.0.1`,
]

/** Where a URL may stand in a command line. */
const LINES: readonly ((url: string, directory: string) => string[])[] = [
  (url) => ['stats', url],
  (url) => ['verify', url],
  (url, directory) => ['salvage', url, directory],
  (url) => [url],
  (url, directory) => ['stats', directory, '--to', url],
]

test.each(URLS)('no command tells the password of %s', async (url) => {
  const directory = temporaryDirectory()
  // All lines of the first URL, and of each URL another two: `npm test` spends less on processes.
  const place = URLS.indexOf(url)
  const isAsked = (i: number): boolean => place === 0 || i === place % 5 || i === (place + 1) % 5
  const asked = effort({ quick: LINES.filter((_, i) => isAsked(i)), full: LINES })
  const lines = asked.map((line) => line(url, directory))
  const all = await Promise.all(lines.map((words) => quayside(words)))
  for (const [i, { code, out, err }] of all.entries()) {
    expect(code, lines[i]!.join(' ')).not.toBe(0)
    expect(out + err, lines[i]!.join(' ')).not.toContain(SECRET)
    expect(err + out).not.toBe('')
  }
})
