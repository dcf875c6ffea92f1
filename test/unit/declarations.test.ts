import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { declarations } from '../../scripts/declarations.mjs'
import { temporaryDirectory } from '../fs/temporary.ts'

/** What is published of sources, by their names. */
function publish(files: Record<string, string>): Record<string, string> {
  const folder = temporaryDirectory()
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  const texts = declarations([join(folder, 'index.ts')])
  return Object.fromEntries([...texts].map(([file, text]) => [file.slice(folder.length + 1), text]))
}

test('what a subpath leads to is declared, with its comments; the rest is not', () => {
  const texts = publish({
    'index.ts': `
/** The door. @module */
import { Inner } from './inner.ts'
import { unused } from './unused.ts'
export { type Other as Renamed } from './other.ts'
export * from './all.ts'
/** What users take. */
export class Outer { #inner: Inner = new Inner(); give(): Inner { unused(); return this.#inner } }
`,
    'inner.ts': `
import type { Deep } from './deep/deep.ts'
/** What comes of it. */
export class Inner { deep: Deep = 1 }
/** For neighbours. */
export class Neighbour {}
`,
    'deep/deep.ts': `export type Deep = number\nexport type Deeper = string`,
    'other.ts': `export interface Other { of?: Another }\ninterface Another { a: 1 }\ninterface Lonely { b: 1 }`,
    'all.ts': `export const one = 1 as number`,
    'unused.ts': `export function unused(): void {}`,
  })
  expect(Object.keys(texts).toSorted()).toEqual([
    'all.ts',
    'deep/deep.ts',
    'index.ts',
    'inner.ts',
    'other.ts',
  ])
  expect(texts['index.ts']).toContain('The door')
  expect(texts['index.ts']).toContain('What users take')
  expect(texts['index.ts']).toContain(`from './inner.js'`)
  expect(texts['index.ts']).toContain('Other as Renamed')
  expect(texts['inner.ts']).toContain('What comes of it')
  expect(texts['inner.ts']).not.toContain('Neighbour')
  expect(texts['deep/deep.ts']).toContain('Deep =')
  expect(texts['deep/deep.ts']).not.toContain('Deeper')
  expect(texts['other.ts']).toContain('Another')
  expect(texts['other.ts']).not.toContain('Lonely')
})

test('what is declared for all stays, with what it speaks of', () => {
  const texts = publish({
    'index.ts': `import type { Element } from './element.ts'\nexport const a = 1 as number\ndeclare global { interface Window { element: Element } }`,
    'element.ts': `export interface Element { b: 1 }`,
  })
  expect(texts['index.ts']).toContain('declare global')
  expect(texts['element.ts']).toContain('interface Element')
})

test('constructors that are internal do not say what they take, and nobody else can call them', () => {
  const texts = publish({
    'index.ts': `
import type { Context } from './context.ts'
/** Made elsewhere. */
export class Producer {
  /** @internal Made by a queue. */
  constructor(context: Context) { void context }
  /** @internal */
  look(context: Context): void { void context }
}
`,
    'context.ts': `export interface Context { a: 1 }`,
  })
  expect(Object.keys(texts)).toEqual(['index.ts'])
  expect(texts['index.ts']).toContain('protected constructor()')
  expect(texts['index.ts']).not.toMatch(/Context|look/)
})

test('a type that is named by an import is refused: it would be lost', () => {
  expect(() =>
    publish({ 'index.ts': `export type A = import('./b.ts').B`, 'b.ts': `export type B = 1` }),
  ).toThrow('name import("./b.ts").B by an import')
})

test('the libs that a module needs are named, where something of it is left', () => {
  const needs = '/// <reference lib="esnext.disposable" preserve="true" />'
  const texts = publish({
    'index.ts': `${needs}\n/** The door. @module */\nimport { unused } from './unused.ts'\nexport class Outer { go(): void { unused() } }`,
    'unused.ts': `${needs}\nexport function unused(): void {}`,
  })
  expect(Object.keys(texts)).toEqual(['index.ts'])
  expect(texts['index.ts']).toContain(needs)
  expect(texts['index.ts']!.indexOf(needs)).toBeLessThan(texts['index.ts']!.indexOf('class Outer'))
})
