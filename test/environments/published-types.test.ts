import { execFileSync } from 'node:child_process'
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT } from '../support/sources.ts'

// What is published, in a program that checks declarations as strictly as can be, and has the types of its runtime and no others.

const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { exports: object }
/** They are of other runtimes, or of a package that a program may not have. */
const ELSEWHERE = ['fs', 'sqlite', 'postgres', 'redis', 'durable-object', 'react']
const SUBPATHS = Object.keys(exports)
  .filter((path) => !path.endsWith('.js') && !path.endsWith('.json') && !ELSEWHERE.includes(path.slice(2)))
  .map((path) => `quayside${path.slice(1)}`)

let program: string
beforeAll(() => {
  execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: ROOT })
  program = mkdtempSync(join(ROOT, 'node_modules/.quayside-types-'))
  mkdirSync(join(program, 'node_modules'))
  symlinkSync(ROOT, join(program, 'node_modules/quayside'), 'junction')
  symlinkSync(join(ROOT, 'conformance'), join(program, 'node_modules/quayside-conformance'), 'junction')
  writeFileSync(join(program, 'package.json'), JSON.stringify({ type: 'module' }))
})
afterAll(() => rmSync(program, { recursive: true }))

function compile(files: Readonly<Record<string, string>>, compilerOptions: object): string {
  for (const [name, code] of Object.entries(files)) writeFileSync(join(program, name), code)
  const strict = {
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    types: [],
  }
  const options = { target: 'es2022', ...strict, ...compilerOptions }
  writeFileSync(
    join(program, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: options, files: Object.keys(files) }),
  )
  try {
    return execFileSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', program], {
      cwd: program,
      encoding: 'utf8',
    })
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}

const lib = ['es2022', 'dom', 'dom.iterable']
const ALL = SUBPATHS.map((path, i) => `import * as m${i} from '${path}'\nexport { m${i} }`).join('\n')

test.each<[string, object]>([
  ['a bundler', { module: 'esnext', moduleResolution: 'bundler', lib }],
  ['Node', { module: 'nodenext', lib }],
  ['a bundler and older libs', { module: 'esnext', moduleResolution: 'bundler', lib: ['es2020', 'dom'] }],
])('all subpaths of browsers, for %s', (_, options) => {
  expect(compile({ 'main.ts': ALL }, options)).toBe('')
})

test('`await using` needs no lib of its own', () => {
  const code = `import { Queue } from 'quayside'\nawait using queue = new Queue('q')\nexport const { name } = queue`
  expect(compile({ 'main.ts': code }, { module: 'esnext', moduleResolution: 'bundler', lib })).toBe('')
})

test('what is wrong is found', () => {
  const code = `import { Queue } from 'quayside'\nnew Queue('q', { storge: 1 })`
  expect(compile({ 'main.ts': code }, { module: 'esnext', moduleResolution: 'bundler', lib })).toContain(
    'storge',
  )
})

test('the TypeScript of the pages, as a strict program has it', () => {
  const snippets = ['README.md', ...globSync('docs/*.md', { cwd: ROOT })].flatMap((page) => {
    const text = readFileSync(join(ROOT, page), 'utf8')
    return [...text.matchAll(/^```(tsx?)\b[^\n]*\n(.*?)^```$/gms)].map(({ index, 1: kind, 2: code }) => {
      const line = text.slice(0, index).split('\n').length
      return [`${page.replaceAll(/\W/g, '-')}-${line}.${kind}`, `${code}export {}`] as const
    })
  })
  expect(snippets.length).toBeGreaterThan(40)
  const options = {
    skipLibCheck: true, // Of others'.
    noUncheckedIndexedAccess: true,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
    jsx: 'react-jsx',
    target: 'es2023',
    module: 'nodenext',
    lib: ['es2023', 'dom', 'dom.iterable', 'dom.asynciterable'],
  }
  expect(compile(Object.fromEntries(snippets), options)).toBe('')
})
