// The declarations of what is published: of each source what its subpaths lead to, and no more. The rest would be there for nobody.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isolatedDeclarationSync } from 'rolldown/experimental'
import { parseAst } from 'rolldown/parseAst'

/** Constructors that only this package calls say so, and not what they take. */
const INTERNAL = /\/\*\*\s*@internal[^*]*\*\/\s*constructor\([^)]*\) \{/g
const PROTECTED = '/** Not for users to call. */\n  protected constructor() {'

function declarationsOf(file, published) {
  const source = readFileSync(file, 'utf8').replaceAll(INTERNAL, PROTECTED)
  const { code, errors } = isolatedDeclarationSync(file, source, { stripInternal: true })
  if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`)
  return code.replaceAll(
    /(?<=from ['"])\.[^'"]*(?=['"])/g,
    (path) => published.get(join(dirname(file), path)) ?? path,
  )
}

const nameOf = (node) => node.name ?? node.value

/** Calls back with each node of a tree. */
function walk(node, visit) {
  if (Array.isArray(node)) for (const one of node) walk(one, visit)
  else if (typeof node?.type === 'string') {
    visit(node)
    for (const part of Object.values(node)) if (typeof part === 'object') walk(part, visit)
  }
}

/** Which libs a module needs. What makes declarations of it drops these lines, whether they say `preserve` or not. */
const referencesOf = (file) => readFileSync(file, 'utf8').match(/^\/\/\/ <reference .*$/gm) ?? []

/** A module: its statements with the comments before them, which names they declare and speak of, and where other names come from. */
function read(file, published) {
  const text = declarationsOf(file, published)
  const module = { head: '', statements: [], imported: new Map(), exported: new Map(), all: [] }
  let end = 0
  for (const node of parseAst(text, { lang: 'dts', sourceType: 'module' }).body) {
    let code = text.slice(end, node.end).trim()
    end = node.end
    if (module.statements.length === 0 && module.head === '') {
      const doc = /^\/\*\*(?:(?!\*\/)[^])*@module(?:(?!\*\/)[^])*\*\//.exec(code)
      if (doc) [module.head, code] = [`${doc[0]}\n`, code.slice(doc[0].length).trim()]
    }
    const from = node.source?.value.startsWith('.') ? join(dirname(file), node.source.value) : undefined
    const statement = { node, code, from, names: new Set(), speaksOf: new Set() }
    module.statements.push(statement)
    if (node.type === 'ImportDeclaration') {
      for (const one of node.specifiers) {
        statement.names.add(one.local.name)
        if (from && one.imported) module.imported.set(one.local.name, [from, nameOf(one.imported)])
      }
    } else if (node.type === 'ExportAllDeclaration') {
      module.all.push(from)
    } else if (node.type === 'ExportNamedDeclaration' && !node.declaration) {
      for (const { local, exported } of node.specifiers)
        module.exported.set(nameOf(exported), [from ?? file, nameOf(local)])
    } else {
      const declared = node.declaration ?? node
      for (const { id } of declared.declarations ?? [declared]) {
        if (!id || declared.kind === 'global') continue
        statement.names.add(nameOf(id))
        if (node.declaration) module.exported.set(nameOf(id), [file, nameOf(id)])
      }
      walk(declared, (inner) => {
        if (inner.type === 'TSImportType')
          throw new Error(`${file}: name ${text.slice(inner.start, inner.end)} by an import`)
        if (inner.type === 'Identifier') statement.speaksOf.add(inner.name)
      })
    }
  }
  return module
}

/** The text of each declaration file, by the source that it is of. `published`: names of sources that other packages declare. */
export function declarations(entries, published = new Map()) {
  const modules = new Map()
  const moduleOf = (file) => {
    if (!modules.has(file)) {
      const module = { ...read(file, published), wanted: new Set(), passed: new Set() }
      modules.set(file, module)
      // What is declared for all, by no name of the module.
      for (const { names, speaksOf } of module.statements)
        if (names.size === 0) for (const other of speaksOf) want(file, other)
    }
    return modules.get(file)
  }
  const exportsOf = (file) => {
    const { exported, all } = moduleOf(file)
    return [...exported.keys(), ...all.flatMap((from) => (from ? exportsOf(from) : []))]
  }
  /** A name in the scope of a module. */
  const want = (file, name) => {
    const module = moduleOf(file)
    if (module.wanted.has(name)) return
    module.wanted.add(name)
    if (module.imported.has(name)) wantExport(...module.imported.get(name))
    for (const { names, speaksOf } of module.statements)
      if (names.has(name)) for (const other of speaksOf) want(file, other)
  }
  /** A name that a module exports. */
  const wantExport = (file, name) => {
    const { exported, all, passed } = moduleOf(file)
    passed.add(name)
    if (exported.has(name)) {
      const [from, local] = exported.get(name)
      if (from === file) want(file, local)
      else wantExport(from, local)
    } else for (const from of all) if (from && exportsOf(from).includes(name)) wantExport(from, name)
  }
  for (const entry of entries) for (const name of exportsOf(entry)) wantExport(entry, name)

  const texts = new Map()
  for (const [file, { head, statements, wanted, passed }] of modules) {
    const lines = []
    for (const { node, code, names, from } of statements) {
      if (
        node.type === 'ImportDeclaration' ||
        (node.type === 'ExportNamedDeclaration' && !node.declaration)
      ) {
        const keeps = node.type === 'ImportDeclaration' ? wanted : passed
        const kept = node.specifiers.filter((one) => keeps.has(nameOf(one.exported ?? one.local)))
        if (kept.length === 0) {
          if (node.specifiers.length === 0) lines.push(code)
          continue
        }
        const isNamed = kept.every(({ type }) => /^(Import|Export)Specifier$/.test(type))
        lines.push(isNamed ? named(node, kept) : code)
      } else if (node.type === 'ExportAllDeclaration') {
        if (!from || exportsOf(from).some((name) => passed.has(name))) lines.push(code)
      } else if (names.size === 0 || [...names].some((name) => wanted.has(name))) lines.push(code)
    }
    if (lines.length > 0) lines.unshift(...referencesOf(file))
    if (lines.length > 0)
      texts.set(
        file,
        `${(entries.includes(file) ? head : '') + lines.join('\n')}\n`.replaceAll(
          /(from ['"]\.[^'"]*)\.ts(['"])/g,
          '$1.js$2',
        ),
      )
  }
  return texts
}

function named(node, specifiers) {
  const isImport = node.type === 'ImportDeclaration'
  const parts = specifiers.map((one) => {
    const [first, second] = isImport
      ? [nameOf(one.imported), one.local.name]
      : [nameOf(one.local), nameOf(one.exported)]
    const kind = (isImport ? one.importKind : one.exportKind) === 'type' ? 'type ' : ''
    return kind + (first === second ? first : `${first} as ${second}`)
  })
  const word = isImport ? 'import' : 'export'
  const kind = (isImport ? node.importKind : node.exportKind) === 'type' ? ' type' : ''
  return `${word}${kind} { ${parts.join(', ')} }${node.source ? ` from '${node.source.value}'` : ''}`
}
