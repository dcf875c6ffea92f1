import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildAssets } from '../../demo/offline-notes/server/bundle.ts'
import { type DemoServer, startServer } from '../../demo/offline-notes/server/server.ts'
import { findProgram } from '../../scripts/programs.mjs'
import { InstalledPackage } from '../runtimes/installed.ts'
import { ROOT } from '../support/sources.ts'

// The examples of docs/testing.md, each in its runner, with the package as it is installed.

const text = readFileSync(join(ROOT, 'docs/testing.md'), 'utf8')

function exampleFor(runner: string): string {
  const found = [...text.matchAll(new RegExp(`^\`\`\`[jt]s ${runner}\n(.*?)^\`\`\`$`, 'gms'))]
  expect(found, `examples for ${runner}`).toHaveLength(1)
  return found[0]![1]!
}

const LINKED = ['vitest', 'vite', 'jest', '@playwright/test', 'happy-dom', 'jsdom']

let installed: InstalledPackage
let notes: DemoServer
beforeAll(async () => {
  installed = InstalledPackage.install()
  const modules = join(installed.folder, 'node_modules')
  mkdirSync(join(modules, '@playwright'))
  for (const name of LINKED) symlinkSync(join(ROOT, 'node_modules', name), join(modules, name), 'junction')
  notes = await startServer(await buildAssets())
})
afterAll(async () => {
  installed.uninstall()
  await notes?.close()
})

interface Runner {
  /** The example's name on the page. @defaultValue that of the runner */
  readonly example?: string
  /** How its files are called. @defaultValue `example.test.mjs` */
  readonly file?: string
  /** What runs all files of the folder. */
  readonly command: (folder: string) => readonly [string, ...string[]]
  /** What stands beside the example. */
  readonly files?: () => Readonly<Record<string, string>>
  readonly passed: RegExp
  /** What is expected first, and shall be missed if it is something else. */
  readonly expects: string
}

const bin = (path: string): string => join(ROOT, 'node_modules', path)

const vitest = (example: string, expects: string): Runner => ({
  example,
  file: 'example.test.ts',
  command: (folder) => [process.execPath, bin('vitest/vitest.mjs'), 'run', '--root', folder],
  passed: /1 failed[^]*1 passed/,
  expects,
})

/** The line of the page that says how Jest is run. */
const JEST = /"test": "NODE_OPTIONS=(\S+) jest"/.exec(text)![1]!

const RUNNERS: Readonly<Record<string, Runner>> = {
  vitest: vitest('vitest', 'no such host'),
  'vitest in happy-dom': vitest('happy-dom', '1 waiting'),
  'vitest in jsdom': vitest('happy-dom', '1 waiting'),
  jest: {
    file: 'example.test.js',
    // The default configuration, of a package of CommonJS.
    files: () => ({ 'package.json': '{}' }),
    command: () => [process.execPath, JEST, bin('jest/bin/jest.js')],
    passed: /1 failed[^]*1 passed/,
    expects: '/^ada@/',
  },
  'node:test': {
    command: () => [process.execPath, '--test', '--test-reporter=spec'],
    passed: /pass 1\n.*fail 1\n/s,
    expects: "ada' }",
  },
  'bun:test': {
    command: () => [bin('.bin/bun'), 'test'],
    passed: / 1 pass\n 1 fail\n/,
    expects: "later')\n  await",
  },
  playwright: {
    files: () => ({
      'playwright.config.mjs': `export default ${JSON.stringify({
        testDir: '.',
        use: {
          baseURL: notes.origin,
          launchOptions: { executablePath: findProgram('chromium'), args: ['--no-sandbox'] },
        },
      })}`,
    }),
    command: () => [process.execPath, bin('@playwright/test/cli.js'), 'test', '--reporter=list'],
    passed: /1 failed[^]*1 passed/,
    expects: '1 note waits',
  },
}

/** Runs files that are no good together. Answers with all that their runner said. */
async function run(name: string, tests: Readonly<Record<string, string>>): Promise<string> {
  const { files, command } = RUNNERS[name]!
  const folder = mkdtempSync(join(installed.folder, 'example-'))
  for (const [path, content] of Object.entries({ ...files?.(), ...tests }))
    writeFileSync(join(folder, path), content)
  const [program, ...args] = command(folder)
  // What tells a test that it runs in another one is none of its business.
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env
  const env = { PATH, HOME, NODE_COMPILE_CACHE, NO_COLOR: '1' }
  const { stdout, stderr } = await promisify(execFile)(program, args, { cwd: folder, env }).then(
    ({ stdout: said }) => expect.fail(`all have passed: ${said}`),
    (error: { readonly stdout: string; readonly stderr: string }) => error,
  )
  return stdout + stderr
}

test.each(Object.keys(RUNNERS))(
  'the example for %s passes, and fails where what it expects is not so',
  async (name) => {
    const { example = name, file = 'example.test.mjs', passed, expects } = RUNNERS[name]!
    const found = exampleFor(example)
    const code = name.endsWith('jsdom') ? found.replace('environment happy-dom', 'environment jsdom') : found
    const wrong = code.replace(expects, expects.replace(/\w[\w ]*/, 'something else'))
    expect(wrong).not.toBe(code)
    const said = await run(name, { [file]: code, [`wrong-${file}`]: wrong })
    expect(said).toMatch(passed)
    expect(said).toContain('something else')
  },
)
