// npm run lua: makes adapters/redis/scripts.ts of the Lua sources beside it. A script is a file of `verbs`, with those of
// `parts` that it includes, without comments and spaces that nothing needs.
//
// Names of locals and of functions are made short: nobody reads them, and each program that sends the scripts has them in its bundle.
//
// A script is run from its first line each time, so that making its functions is a part of the cost of every verb. A
// function that is an upvalue of others makes that slower, and each number does too: the functions and constants of parts become
// fields of one table, and numbers are written where they are used. Parts that are included lazily are made when one of their functions
// is called first.
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = new URL('../adapters/redis/lua/', import.meta.url)
const target = fileURLToPath(new URL('../adapters/redis/scripts.ts', import.meta.url))

const read = (kind, name) => readFileSync(new URL(`${kind}/${name}.lua`, folder), 'utf8')
const names = (kind) => readdirSync(new URL(kind, folder)).map((file) => file.replace(/\.lua$/, ''))
const camelCase = (name) => name.replaceAll(/-(.)/g, (_, letter) => letter.toUpperCase())
const quoted = (text) => `\`${text.replaceAll('\\', '\\\\')}\``

const FUNCTION = /^local function (\w+)/gm
const NUMBER = /^local ([A-Z_]+) = ([\d *^]+)\b(?: --.*)?\n/gm
/** After numbers have gone. */
const CONSTANT = /^local ([A-Z_]{2,}) =/gm
/** Strings, and names that are no fields. */
const WORD = /'(?:\\.|[^'\\])*'|(?<![\w.:])[A-Za-z_]\w*/g

/** What declares locals, with their names in one of its groups. */
const LOCALS =
  /^ *(?:local(?! function)|for) ([\w, ]+?)(?: =| in|$)|function[^(\n]*\(([^)]*)\)|local function (\w+)/gm
/** What the server has names for, and what pieces are made of: a local of the same name keeps it. */
const GLOBALS =
  /^(?:_|F|loadRest|ARGV|KEYS|bit|cjson|cmsgpack|redis|struct|math|string|table|error|ipairs|next|pairs|pcall|select|tonumber|tostring|type|unpack)$/
const KEYWORDS =
  /^(?:and|break|do|else|elseif|end|false|for|function|if|in|local|nil|not|or|repeat|return|then|true|until|while)$/

/** Strings, and what needs no spaces around it. Minus does, which would make comments, and so do the dots behind a number. */
const SPACED = /'(?:\\.|[^'\\])*'| ?([=~<>]=|[=<>+*/,{}()]) ?/g

/** A short name for each of many, the shortest for those that are used most. */
function shorten(uses) {
  const short = new Map()
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEGHIJKLMNOPQRSTUVWXYZ'.split('')
  const all = [...letters, ...letters.flatMap((one) => letters.map((two) => one + two))]
  const free = all.filter((name) => !KEYWORDS.test(name)).values()
  for (const [name] of [...uses].sort(([a, most], [b, least]) => least - most || (a < b ? -1 : 1)))
    short.set(name, free.next().value)
  return short
}

/** How often each word stands in texts; `isOne` says which count. */
function usesOf(texts, isOne) {
  const uses = new Map()
  for (const text of texts)
    for (const [word] of text.matchAll(WORD)) if (isOne(word)) uses.set(word, (uses.get(word) ?? 0) + 1)
  return uses
}

/** Whether a word is the key of a table that is being made, as in `{ word = 1 }`, and not the last one of `a, word = 1, 2`. */
function isKey(text, word, at) {
  if (!/^ ?=(?!=)/.test(text.slice(at + word.length))) return false
  const before = text.slice(0, at)
  const isAssigned = /^ *(?:local )?[\w.[\]#, ]*,\s*$/.test(before.slice(before.lastIndexOf('\n') + 1))
  return /[{,]\s*$/.test(before) && !isAssigned && isInTable(before)
}

function isInTable(text) {
  const open = []
  for (const [sign] of text.matchAll(/'(?:\\.|[^'\\])*'|[{}()]/g)) {
    if (sign === '{' || sign === '(') open.push(sign)
    else if (sign === '}' || sign === ')') open.pop()
  }
  return open.at(-1) === '{'
}

function strip(text) {
  const lines = text.split('\n').map((line) => line.trim().replace(/ -- .*$/, ''))
  const code = lines.filter((line) => line !== '' && !line.startsWith('--')).join('\n')
  return `${code.replaceAll(SPACED, (found, sign) => sign ?? found)}\n`
}

/** Reads all sources: parts, verbs, the functions and constants of parts, and numbers by name, some of them others for tests. */
function sources(bounds) {
  const parts = new Map(names('parts').map((name) => [name, read('parts', name)]))
  const verbs = new Map(names('verbs').map((name) => [name, read('verbs', name)]))
  const named = (pattern) =>
    [...parts.values()].flatMap((text) => [...text.matchAll(pattern)].map(([, name]) => name))
  const functions = new Set(named(FUNCTION))
  const constants = new Set(named(CONSTANT))
  const numbers = new Map()
  const locals = new Set()
  for (const text of [...parts.values(), ...verbs.values()]) {
    for (const [, name, product] of text.matchAll(NUMBER)) {
      const [base, power] = product.split('^')
      const value = power
        ? Number(base) ** Number(power)
        : product.split('*').reduce((all, one) => all * Number(one), 1)
      if (numbers.has(name) && numbers.get(name) !== value) throw new Error(`${name} has two values`)
      numbers.set(name, value)
    }
    for (const [, one = '', two = '', three = ''] of text.matchAll(LOCALS)) {
      for (const name of `${one}, ${two}`.split(/, */))
        if (functions.has(name)) throw new Error(`${name} is a function of a part, and a local name as well`)
      for (const name of `${one}, ${two}, ${three}`.split(/, */))
        if (name !== '' && !GLOBALS.test(name) && !functions.has(name)) locals.add(name)
    }
  }
  for (const [name, value] of Object.entries(bounds)) {
    if (!numbers.has(name)) throw new Error(`there is no ${name}`)
    numbers.set(name, value)
  }
  for (const name of [...numbers.keys(), ...constants]) locals.delete(name)
  const texts = [...parts.values(), ...verbs.values()].map(strip)
  const shortLocals = shorten(usesOf(texts, (word) => locals.has(word)))
  const shortFields = shorten(usesOf(texts, (word) => functions.has(word) || constants.has(word)))
  const compile = (text) =>
    strip(text.replaceAll(NUMBER, '')).replaceAll(WORD, (word, at, all) => {
      if (numbers.has(word)) return `${numbers.get(word)}`
      if (shortFields.has(word)) return `F.${shortFields.get(word)}`
      return shortLocals.has(word) && !isKey(all, word, at) ? shortLocals.get(word) : word
    })
  const asField = (text) =>
    text.replaceAll(NUMBER, '').replaceAll(FUNCTION, 'function $1').replaceAll(CONSTANT, '$1 =')
  return {
    parts: new Map([...parts].map(([name, text]) => [name, compile(asField(text))])),
    verbs,
    // What only a verb has stays local to it.
    compile,
  }
}

/** Each verb in pieces: names of parts, or Lua. */
function pieces({ verbs, compile }) {
  return [...verbs].map(([name, source]) => {
    const flags = /^--@flags ?(.*)$/m.exec(source)[1]
    // Parts stand where they are included: what returns before them is spared making their functions.
    const [first, ...rest] = source.split(/^--@(include|lazily) (.*)$/m)
    const all = [{ text: `#!lua${flags && ` flags=${flags}`}\n${compile(first)}` }]
    for (let i = 0; i < rest.length; i += 3) {
      const [how, piece, text] = rest.slice(i)
      const included = piece.split(' ').map((part) => ({ part }))
      const isLazy = how === 'lazily'
      if (isLazy) all.at(-1).text += 'loadRest = function()\n'
      all.push(...included, { text: `${isLazy ? 'end\n' : ''}${compile(text)}` })
    }
    return [camelCase(name), all]
  })
}

function scriptOf(all, parts) {
  const text = all.map(({ part, text: own }) => own ?? parts.get(part)).join('')
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

/** The scripts by verb, with other numbers than their sources have. */
export function build(bounds = {}) {
  const found = sources(bounds)
  return Object.fromEntries(pieces(found).map(([verb, all]) => [verb, scriptOf(all, found.parts)]))
}

/** What the generated file must be. */
export function generate() {
  const found = sources({})
  const scripts = pieces(found).map(([verb, all]) => {
    const texts = all
      .map(({ part, text }) => part ?? quoted(text))
      .join(' + ')
      // Texts that touch are one.
      .replaceAll('` + `', '')
    return `  ${verb}: {\n    sha: '${scriptOf(all, found.parts).sha}',\n    text: ${texts},\n  },\n`
  })
  return [
    '// Made by "npm run lua" of the files in lua/. Not to be edited.\n',
    ...[...found.parts].map(([name, text]) => `const ${name} = ${quoted(text)}\n`),
    '/** One script: its text, and the digest by which the server knows it. */',
    'export interface Script {\n  readonly sha: string\n  readonly text: string\n}\n',
    `export const SCRIPTS: Readonly<Record<${names('verbs')
      .map((name) => `'${camelCase(name)}'`)
      .join(' | ')}, Script>> = {\n${scripts.join('')}}\n`,
  ].join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(target, generate())
