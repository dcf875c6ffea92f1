import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT } from '../support/sources.ts'
import { InstalledPackage } from './installed.ts'

// Who brings a storage has two packages, as npm has them, and nothing of this repository.

const page = readFileSync(join(ROOT, 'docs/your-own-storage.md'), 'utf8')
const code = /^```ts\n(\/\/ folder-store\.ts\n.*?)^```$/ms.exec(page)![1]!

let installed: InstalledPackage
beforeAll(() => {
  installed = InstalledPackage.install()
  writeFileSync(join(installed.folder, 'folder-store.test.ts'), code)
})
afterAll(() => installed.uninstall())

/** What a program prints, whether it fails or not. */
const run = async (file: string, ...words: readonly string[]): Promise<string> => {
  const options = { cwd: installed.folder }
  const ended = promisify(execFile)(process.execPath, [file, ...words], options)
  const { stdout } = await ended.catch((error: { stdout: string; stderr: string }) => ({
    stdout: `${error.stdout}\n${error.stderr}`,
  }))
  return stdout.trimEnd()
}

test('the storage of the page passes the suite that is installed beside quayside', async () => {
  const expected = [...code.matchAll(/\/\/ → (.*)$/gm)].map((match) => match[1])
  expect(expected.length).toBeGreaterThan(2)
  expect((await run('folder-store.test.ts')).split('\n')).toEqual(expected)
})

test('its types are those of quayside', async () => {
  const compilerOptions = {
    target: 'ES2023',
    lib: ['ES2023', 'ESNext.Disposable', 'DOM'],
    module: 'nodenext',
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
    strict: true,
    noEmit: true,
  }
  const config = { compilerOptions, files: ['folder-store.test.ts'] }
  writeFileSync(join(installed.folder, 'tsconfig.json'), JSON.stringify(config))
  expect(await run(join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.')).toBe('')
})
