import { expect, test } from 'vitest'
import { temporaryDirectory } from '../fs/temporary.ts'
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

test.each(URLS)('no command tells the password of %s', async (url) => {
  const directory = temporaryDirectory()
  const lines = [
    ['stats', url],
    ['verify', url],
    ['salvage', url, directory],
    [url],
    ['stats', directory, '--to', url],
  ]
  const all = await Promise.all(lines.map((words) => quayside(words)))
  for (const [i, { code, out, err }] of all.entries()) {
    expect(code, lines[i]!.join(' ')).not.toBe(0)
    expect(out + err, lines[i]!.join(' ')).not.toContain(SECRET)
    expect(err + out).not.toBe('')
  }
})
