import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { generate } from '../../scripts/inspector-page.mjs'
import { ROOT } from '../support/sources.ts'

test('the page of the inspector for servers is that of its sources', async () => {
  const text = readFileSync(join(ROOT, 'inspector/server/page-script.ts'), 'utf8')
  // Not by toBe: nobody wants to see the difference.
  expect(text === (await generate()), 'run npm run inspector-page').toBe(true)
})
