import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { generate } from '../../scripts/lua.mjs'

test('adapters/redis/scripts.ts is made of the files in lua/ as they are: npm run lua', () => {
  const made = readFileSync(new URL('../../adapters/redis/scripts.ts', import.meta.url), 'utf8')
  expect(made).toBe(generate())
})
