import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Plugin, rolldown } from 'rolldown'
import { minify } from 'terser'
import { expect, test } from 'vitest'
import { notices } from '../../scripts/notices.mjs'
import { ROOT } from '../support/sources.ts'
import { temporaryDirectory } from '../fs/temporary.ts'

async function build(code: string, folder: string, ...plugins: Plugin[]): Promise<string> {
  const entry = join(folder, 'notices-entry.js')
  await using bundle = await rolldown({
    input: entry,
    platform: 'browser',
    tsconfig: false,
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === entry ? id : null),
        load: (id) => (id === entry ? code : null),
      },
      ...plugins,
    ],
  })
  const { output } = await bundle.generate({ format: 'iife', name: 'x', minify: true })
  return output[0].code
}

const BOTH = `export { Cron } from 'croner'; export { v7 } from 'uuid'`

test('what is bundled stands there with its licence', async () => {
  const code = await build(BOTH, ROOT, notices())
  for (const licence of ['croner/LICENSE', 'uuid/LICENSE.md'])
    expect(code).toContain(
      readFileSync(join(ROOT, 'node_modules', licence), 'utf8')
        .trim()
        .replaceAll('\r\n', '\n'),
    )
  expect(code).toMatch(/croner \d+\.\d+\.\d+ \(MIT\)/)
  expect(code).toMatch(/uuid \d+\.\d+\.\d+ \(MIT\)/)
})

test('what is not bundled does not', async () => {
  expect(await build(`export { v7 } from 'uuid'`, ROOT, notices())).not.toContain('croner')
  expect(await build(`export const a = 1`, ROOT, notices())).not.toContain('/*')
})

test('a build that loses a licence fails', async () => {
  const strip: Plugin = {
    name: 'strip',
    renderChunk: async (code) => ({ code: (await minify(code, { format: { comments: false } })).code! }),
  }
  await expect(build(BOTH, ROOT, notices(), strip)).rejects.toThrow('without its licence')
})

test('a package without a licence text cannot be bundled', async () => {
  const folder = temporaryDirectory()
  const bare = join(folder, 'node_modules/@some/bare')
  mkdirSync(bare, { recursive: true })
  writeFileSync(
    join(bare, 'package.json'),
    '{"name":"@some/bare","version":"1.0.0","main":"index.js","type":"module"}',
  )
  writeFileSync(join(bare, 'index.js'), 'export const a = 1')
  await expect(build(`export { a } from '@some/bare'`, folder, notices())).rejects.toThrow('no licence text')
})

test('every build of the package has them', () => {
  const builds = readFileSync(join(ROOT, 'scripts/bundles.mjs'), 'utf8')
  // Declarations have nothing of others.
  const plugins = builds.match(/plugins: \[.*/g)!
  expect(plugins).toHaveLength(2)
  for (const all of plugins) expect(all).toContain('notices()')
})
