import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { type Plugin, rollup } from 'rollup'
import { minify } from 'terser'
import { expect, test } from 'vitest'
import { notices } from '../../scripts/notices.mjs'
import { ROOT } from '../support/sources.ts'
import { temporaryDirectory } from '../fs/temporary.ts'

async function build(code: string, folder: string, ...plugins: Plugin[]): Promise<string> {
  const entry = join(folder, 'notices-entry.js')
  const bundle = await rollup({
    input: entry,
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === entry ? id : null),
        load: (id) => (id === entry ? code : null),
      },
      nodeResolve({ browser: true }),
      ...plugins,
    ],
  })
  const { output } = await bundle.generate({ format: 'iife', name: 'x' })
  return output[0].code
}

const shrink: Plugin = {
  name: 'minify',
  renderChunk: async (code) => ({ code: (await minify(code)).code! }),
}
const BOTH = `export { openDB } from 'idb'; export { v7 } from 'uuid'`

test('what is bundled stands there with its licence', async () => {
  const code = await build(BOTH, ROOT, shrink, notices())
  for (const licence of ['idb/LICENSE', 'uuid/LICENSE.md'])
    expect(code).toContain(readFileSync(join(ROOT, 'node_modules', licence), 'utf8').trim())
  expect(code).toMatch(/idb \d+\.\d+\.\d+ \(ISC\)/)
  expect(code).toMatch(/uuid \d+\.\d+\.\d+ \(MIT\)/)
})

test('what is not bundled does not', async () => {
  expect(await build(`export { v7 } from 'uuid'`, ROOT, notices())).not.toContain('idb')
  expect(await build(`export const a = 1`, ROOT, notices())).not.toContain('/*')
})

test('a build that loses a licence fails', async () => {
  await expect(build(BOTH, ROOT, notices(), shrink)).resolves.toContain('idb')
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
  const config = readFileSync(join(ROOT, 'rollup.config.js'), 'utf8')
  expect(config.match(/plugins: \[/g)?.length).toBe(config.match(/notices\(\)/g)?.length)
})
