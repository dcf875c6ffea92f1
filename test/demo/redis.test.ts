import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

test('npm run demo:redis loses nothing, refuses the acks of the worker that slept, and ends by itself', () => {
  const main = fileURLToPath(new URL('../../demo/redis/main.ts', import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [main], {
    encoding: 'utf8',
    timeout: 240_000,
  })
  expect(stderr).toBe('')
  expect(stdout).toMatch(/kill -9 of worker 2, which has \d+ orders in hand/)
  expect(stdout).toMatch(/\d+ acks of worker 3 are refused: STALE_RECEIPT/)
  expect(stdout).toMatch(/^done +3,000$/m)
  expect(stdout).toMatch(/^lost +0$/m)
  expect(status).toBe(0)
})
