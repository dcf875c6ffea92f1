import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../support/sources.ts'

const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

test('docs/errors.md has every code and no other, each with its cause and what to do', () => {
  const type = /export type ErrorCode =\n((?: {2}\| '[A-Z_]+'\n)+)/.exec(textOf('src/errors.ts'))![1]!
  const codes = [...type.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code)
  const rows = [...textOf('docs/errors.md').matchAll(/^\| `([A-Z_]+)` \| (.+) \| (.+) \|$/gm)]
  expect(rows.map(([, code]) => code)).toEqual(codes)
  expect(codes.length).toBeGreaterThan(10)
})
