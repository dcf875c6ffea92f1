import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { InstalledPackage } from '../runtimes/installed.ts'
import { ROOT } from '../support/sources.ts'

// The examples of docs/testing.md, each in its runner, with the package as it is installed. That of Jest, whose dependencies are more than all of
// ours, is run by hand.

const text = readFileSync(join(ROOT, 'docs/testing.md'), 'utf8')

function exampleFor(runner: string): string {
  const found = [...text.matchAll(new RegExp(`^\`\`\`[jt]s ${runner}\n(.*?)^\`\`\`$`, 'gms'))]
  expect(found, `examples for ${runner}`).toHaveLength(1)
  return found[0]![1]!
}

let installed: InstalledPackage
beforeAll(() => {
  installed = InstalledPackage.install()
  for (const name of ['vitest', 'vite'])
    symlinkSync(join(ROOT, 'node_modules', name), join(installed.folder, 'node_modules', name), 'junction')
})
afterAll(() => installed.uninstall())

/** Runs an example. Answers with all that its runner said; rejects if that failed. */
async function run(runner: string, code: string): Promise<string> {
  const folder = join(installed.folder, runner.replace(':', '-'))
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `example.test.${runner === 'vitest' ? 'ts' : 'mjs'}`)
  writeFileSync(file, code)
  const commands: Record<string, readonly [string, ...string[]]> = {
    vitest: [process.execPath, join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder],
    'node:test': [process.execPath, '--test', '--test-reporter=spec', file],
    'bun:test': [join(ROOT, 'node_modules/.bin/bun'), 'test', file],
  }
  const [command, ...args] = commands[runner]!
  // What tells a test that it runs in another one is none of its business.
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], NO_COLOR: '1' }
  const { stdout, stderr } = await promisify(execFile)(command, args, { cwd: folder, env })
  return stdout + stderr
}

test.each([
  ['vitest', /1 passed/],
  ['node:test', /pass 1\n/],
  ['bun:test', /1 pass\n/],
])('the example for %s passes, and fails where what it expects is not so', async (runner, passed) => {
  const code = exampleFor(runner)
  expect(await run(runner, code)).toMatch(passed)
  const wrong = code.replace(/'(no such host|ada|later)'(?=[ )}]*(?:, 1)?\)\n)/, "'something else'")
  expect(wrong).not.toBe(code)
  const said = await run(runner, wrong).then(
    () => 'it has passed',
    ({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }) => stdout + stderr,
  )
  expect(said).toContain('something else')
})
