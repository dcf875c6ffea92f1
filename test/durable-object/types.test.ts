import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ROOT } from '../support/sources.ts'

function tsc(...args: readonly string[]): string {
  try {
    return execFileSync(join(ROOT, 'node_modules/.bin/tsc'), args, { cwd: ROOT, encoding: 'utf8' })
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}

test('the published declarations fit the types of the runtime', () => {
  // Where the types of the runtime are found, and nothing else looks.
  const directory = mkdtempSync(join(ROOT, 'node_modules/.quayside-types-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: ROOT })
  writeFileSync(
    join(directory, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        target: 'ES2023',
        lib: ['ES2023', 'ESNext.Disposable'],
        module: 'esnext',
        moduleResolution: 'bundler',
        types: ['@cloudflare/workers-types'],
        typeRoots: ['..'],
        strict: true,
        exactOptionalPropertyTypes: true,
        noImplicitOverride: true,
        noEmit: true,
        paths: {
          quayside: ['../../dist/src/index.d.ts'],
          'quayside/durable-object': ['../../dist/adapters/durable-object/index.d.ts'],
        },
      },
      files: ['../../test/durable-object/types/worker.ts'],
    }),
  )
  expect(tsc('-p', directory)).toBe('')
})
