import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAst } from 'rolldown/parseAst'
import { expect, test, vi } from 'vitest'
import { ROOT, SOURCES } from '../support/sources.ts'

// Snippets of the pages that no test runs (most are run: test/readme, and the files beside this one) are at least such as can be run: they are JavaScript, and import what there is.

// Only Cloudflare's runtime has it.
vi.mock('cloudflare:workers', () => ({ DurableObject: Object }))

const snippets = globSync('docs/*.md', { cwd: ROOT }).flatMap((page) => {
  const text = readFileSync(join(ROOT, page), 'utf8')
  return [...text.matchAll(/^```(jsx?|tsx?)\b[^\n]*\n(.*?)^```$/gms)].map((match) => ({
    where: `${page}:${text.slice(0, match.index).split('\n').length}`,
    lang: match[1] as 'js' | 'jsx' | 'ts' | 'tsx',
    code: match[2]!,
  }))
})

interface Import {
  readonly type: string
  readonly source?: { readonly value: string }
  readonly importKind?: string
  readonly specifiers?: readonly {
    readonly type: string
    readonly importKind?: string
    readonly imported?: { readonly name: string }
    readonly local: { readonly name: string }
  }[]
}

test.each(snippets)('the snippet at $where is sound', async ({ lang, code }) => {
  const { body } = parseAst(code, { lang, sourceType: 'module' }) as unknown as { body: Import[] }
  for (const { source, specifiers = [], importKind, type } of body) {
    if (!source?.value.startsWith('quayside')) continue
    const path = SOURCES.get(source.value)
    if (path === undefined) throw new Error(`there is no ${source.value}`)
    const module = (await import(path)) as object
    for (const one of specifiers) {
      if (importKind === 'type' || one.importKind === 'type') continue
      const { name } = type === 'ImportDeclaration' ? one.imported! : one.local
      expect(Object.keys(module), `${name} of ${source.value}`).toContain(name)
    }
  }
})

test('they are found', () => {
  expect(snippets.length).toBeGreaterThan(60)
  expect(snippets.some(({ code }) => code.includes('quayside-conformance'))).toBe(true)
})
