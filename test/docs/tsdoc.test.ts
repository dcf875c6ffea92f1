import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { parseAst } from 'rolldown/parseAst'
import { describe, expect, test } from 'vitest'
import { ROOT, SOURCES } from '../support/sources.ts'

// Whether all that users can import says what it is. Read from the sources, since the declarations that are published bear the same comments.

/** As much of a syntax tree as is looked at. */
interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [part: string]: unknown
}

/** A declaration, and its comment. */
interface Documented {
  readonly file: string
  readonly node: Node
  readonly doc: string
}

interface Module {
  readonly text: string
  readonly body: readonly Node[]
}

const modules = new Map<string, Module>()

function parse(file: string): Module {
  let found = modules.get(file)
  if (found === undefined) {
    const text = readFileSync(file, 'utf8')
    // Offsets of the parser are those of the text.
    const { body } = parseAst(text, { lang: 'ts', sourceType: 'module' }) as unknown as { body: Node[] }
    modules.set(file, (found = { text, body }))
  }
  return found
}

/** The comment that ends where something begins; none: the empty text. */
function docBefore(text: string, start: number): string {
  return /\/\*\*((?:(?!\*\/)[^])*)\*\/\s*$/.exec(text.slice(0, start))?.[1] ?? ''
}

const nameOf = (node: unknown): string =>
  (node as { name?: string; value?: string }).name ?? String((node as { value?: string }).value)

/** All that a module exports, by its name, with where it is declared. */
function exportsOf(file: string): Map<string, Documented> {
  const all = new Map<string, Documented>()
  const { text, body } = parse(file)
  const resolved = (source: unknown): string | undefined => {
    const path = join(dirname(file), (source as { value: string }).value)
    return existsSync(path) ? path : undefined
  }
  const imported = new Map<string, [string, string]>()
  for (const node of body) {
    if (node.type !== 'ImportDeclaration') continue
    const from = resolved(node['source'])
    for (const specifier of node['specifiers'] as Node[])
      if (from !== undefined && specifier['imported'])
        imported.set(nameOf(specifier['local']), [from, nameOf(specifier['imported'])])
  }
  for (const node of body) {
    if (node.type === 'ExportAllDeclaration') {
      const from = resolved(node['source'])
      if (from !== undefined) for (const [name, one] of exportsOf(from)) all.set(name, one)
    }
    if (node.type !== 'ExportNamedDeclaration') continue
    const declaration = node['declaration'] as Node | null
    if (declaration !== null) {
      for (const { id } of (declaration['declarations'] as Node[] | undefined) ?? [declaration])
        // Of overloads and of a type and a value of one name, the first says it.
        if (!all.has(nameOf(id)))
          all.set(nameOf(id), { file, node: declaration, doc: docBefore(text, node.start) })
      continue
    }
    const from = node['source'] ? resolved(node['source']) : undefined
    for (const specifier of node['specifiers'] as Node[]) {
      const [local, name] = [nameOf(specifier['local']), nameOf(specifier['exported'])]
      const [where, what] = from === undefined ? (imported.get(local) ?? [file, local]) : [from, local]
      const one = where === file ? localOf(file, what) : exportsOf(where).get(what)
      if (one !== undefined) all.set(name, one)
    }
  }
  return all
}

function localOf(file: string, name: string): Documented | undefined {
  const { text, body } = parse(file)
  const node = body.find(({ id }) => id && nameOf(id) === name)
  return node && { file, node, doc: docBefore(text, node.start) }
}

interface Member {
  readonly name: string
  readonly node: Node
  readonly doc: string
  readonly isMethod: boolean
}

/** The members of a class or an interface that users see. */
function membersOf({ file, node }: Documented): Member[] {
  const { text } = parse(file)
  const body = (node['body'] as { body?: Node[] } | undefined)?.body
  if (!/^(ClassDeclaration|TSInterfaceDeclaration)$/.test(node.type) || body === undefined) return []
  const members: Member[] = []
  for (const member of body) {
    const key = member['key'] as Node | undefined
    if (key === undefined || key.type !== 'Identifier' || member['computed'] || member['override']) continue
    if (member['accessibility'] === 'private' || member['accessibility'] === 'protected') continue
    const name = nameOf(key)
    const doc = docBefore(text, member.start)
    if (name === 'constructor' || /@internal/.test(doc)) continue
    const before = members.find((one) => one.name === name)
    // The setter of a getter, and the second of two overloads.
    if (before !== undefined) continue
    members.push({ name, node: member, doc, isMethod: /Method/.test(member.type) })
  }
  return members
}

/** What a function or a method says that it answers with, `: Type`. */
function returnTypeOf(file: string, node: Node): string {
  const { returnType } = (node['value'] as Node | undefined) ?? node
  const type = returnType as Node | undefined
  return type ? parse(file).text.slice(type.start, type.end) : ''
}

const files = new Map([...SOURCES].map(([subpath, file]) => [subpath, file] as const))
const declared = new Map<string, { readonly name: string; readonly one: Documented }>()
for (const file of files.values()) {
  for (const [name, one] of exportsOf(file))
    declared.set(`${relative(ROOT, one.file)} ${name}`, { name, one })
}
const all = [...declared].map(([where, { one }]) => ({ where, one }))

describe('what users can import', () => {
  test('is found', () => {
    const places = all.map(({ where }) => where)
    for (const where of [
      'src/core/queue.ts Queue',
      'src/errors.ts QuaysideError',
      'src/core/loop.ts RunOptions',
      'src/records/memory.ts MemoryAdapter',
    ])
      expect(places).toContain(where)
    expect(all.length).toBeGreaterThan(200)
    const queue = all.find(({ where }) => where === 'src/core/queue.ts Queue')!
    expect(membersOf(queue.one).map(({ name }) => name)).toContain('stats')
  })

  test('says of each export what it is', () => {
    expect(all.filter(({ one }) => one.doc.trim() === '').map(({ where }) => where)).toEqual([])
  })

  test('has an example for each class and function', () => {
    const called = all.filter(({ one }) =>
      /^(ClassDeclaration|FunctionDeclaration|TSDeclareFunction)$/.test(one.node.type),
    )
    expect(called.length).toBeGreaterThan(40)
    expect(called.filter(({ one }) => !one.doc.includes('```')).map(({ where }) => where)).toEqual([])
  })

  test('says of each method what it does', () => {
    const without = all.flatMap(({ where, one }) =>
      one.node.type !== 'ClassDeclaration'
        ? []
        : membersOf(one)
            .filter(({ isMethod, doc }) => isMethod && doc.trim() === '')
            .map(({ name }) => `${where}.${name}`),
    )
    expect(without).toEqual([])
  })

  test('says the unit of each time and each size', () => {
    const without = all.flatMap(({ where, one }) =>
      membersOf(one)
        .filter(({ isMethod }) => !isMethod)
        .filter(
          ({ name, doc }) =>
            (/(Ms|At|Until)$/.test(name) && !/\bms\b/.test(doc)) ||
            (name.endsWith('Bytes') && !/bytes|B\b/i.test(doc)),
        )
        .map(({ name }) => `${where}.${name}`),
    )
    expect(without).toEqual([])
  })

  test('says of each option what it does, and what it is if nobody says', () => {
    const without = all
      .filter(({ where }) => /(Options|Init|Policy|Limits|Rules)$/.test(where))
      .flatMap(({ where, one }) => {
        const { text } = parse(one.file)
        const body = (one.node['body'] as { body?: Node[] } | undefined)?.body ?? []
        return body
          .filter((member) => member['optional'] === true)
          .filter((member) => !/@defaultValue \S/.test(docBefore(text, member.start)))
          .map((member) => `${where}.${nameOf(member['key'])}`)
      })
    expect(without).toEqual([])
  })

  test('says of each method and function that answers later how it fails', () => {
    const isLater = (file: string, node: Node): boolean =>
      /^: (?:Promise|AsyncIterableIterator)</.test(returnTypeOf(file, node))
    /** Itself, or where it is said. */
    const says = (doc: string): boolean => /@throws|\brejects\b|\bSee [{`]|\bAs \{@link/i.test(doc)
    const without = all.flatMap(({ where, one }) => {
      if (/^(FunctionDeclaration|TSDeclareFunction)$/.test(one.node.type))
        return isLater(one.file, one.node) && !says(one.doc) ? [where] : []
      // What others make, such as a client of a database, fails as it fails.
      if (one.node.type !== 'ClassDeclaration') return []
      return membersOf(one)
        .filter(({ isMethod, node, doc }) => isMethod && isLater(one.file, node) && !says(doc))
        .map(({ name }) => `${where}.${name}`)
    })
    expect(without).toEqual([])
  })
})
