import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/**
 * Runs every `ts` snippet of the README as a program of its own. What it prints must be what its comments say: `// → text`
 * behind a `console.log`, or on lines of its own.
 */
const root = resolve(import.meta.dirname, '../..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const snippets = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => ({
  code: match[1]!,
  line: readme.slice(0, match.index).split('\n').length,
}))

/** Where the published subpaths have their sources. */
const SOURCES: Record<string, string> = {
  quayside: 'src/index.ts',
  'quayside/memory': 'adapters/memory.ts',
  'quayside/fs': 'adapters/fs/index.ts',
  'quayside/segments': 'src/segments/index.ts',
  'quayside/conformance': 'src/conformance/index.ts',
}

let directory: string
beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), 'quayside-readme-'))))
afterAll(() => rmSync(directory, { recursive: true }))

function runnable(code: string): string {
  return code.replaceAll(/from '(quayside[^']*)'/g, (_, subpath: string) => {
    const source = SOURCES[subpath]
    if (source === undefined) throw new Error(`the README imports ${subpath}, which this test does not know`)
    return `from '${pathToFileURL(join(root, source)).href}'`
  })
}

describe('README', () => {
  test('has an example that runs within its first 30 lines', () => {
    expect(snippets[0]!.line + snippets[0]!.code.split('\n').length).toBeLessThanOrEqual(30)
  })

  test.each(snippets)('the snippet at line $line prints what it says', async ({ code, line }) => {
    const file = join(directory, `line-${line}.ts`)
    writeFileSync(file, runnable(code))
    const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: directory })
    const expected = [...code.matchAll(/\/\/ → (.*)$/gm)].map((match) => match[1])
    expect(stdout.trimEnd().split('\n')).toEqual(expected)
  })
})
