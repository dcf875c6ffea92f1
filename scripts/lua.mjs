// npm run lua: makes adapters/redis/scripts.ts of the Lua sources beside it. A script is a file of `verbs`, with those of
// `parts` that it includes, without comments and indentation.
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = new URL('../adapters/redis/lua/', import.meta.url)
const target = fileURLToPath(new URL('../adapters/redis/scripts.ts', import.meta.url))

const read = (kind, name) => readFileSync(new URL(`${kind}/${name}.lua`, folder), 'utf8')
const names = (kind) => readdirSync(new URL(kind, folder)).map((file) => file.replace(/\.lua$/, ''))
const camelCase = (name) => name.replaceAll(/-(.)/g, (_, letter) => letter.toUpperCase())
const quoted = (text) => `\`${text.replaceAll('\\', '\\\\')}\``

function strip(text) {
  const lines = text.split('\n').map((line) => line.trim().replace(/ -- .*$/, ''))
  return `${lines.filter((line) => line !== '' && !line.startsWith('--')).join('\n')}\n`
}

/** What the generated file must be. */
export function generate() {
  const parts = new Map(names('parts').map((name) => [name, strip(read('parts', name))]))
  const scripts = names('verbs').map((name) => {
    const source = read('verbs', name)
    const flags = /^--@flags ?(.*)$/m.exec(source)[1]
    // Parts stand where they are included: what returns before them is spared making their functions.
    const [first, ...rest] = source.split(/^--@include (.*)$/m)
    const pieces = [quoted(`#!lua${flags && ` flags=${flags}`}\n${strip(first)}`)]
    rest.forEach((piece, i) => pieces.push(...(i % 2 === 0 ? piece.split(' ') : [quoted(strip(piece))])))
    const text = pieces
      .map((piece) => parts.get(piece) ?? piece.slice(1, -1).replaceAll('\\\\', '\\'))
      .join('')
    const sha = createHash('sha1').update(text).digest('hex')
    return `  ${camelCase(name)}: {\n    sha: '${sha}',\n    text: ${pieces.join(' + ')},\n  },\n`
  })
  return [
    '// Made by "npm run lua" of the files in lua/. Not to be edited.\n',
    ...[...parts].map(([name, text]) => `const ${name} = ${quoted(text)}\n`),
    '/** One script: its text, and the digest by which the server knows it. */',
    'export interface Script {\n  readonly sha: string\n  readonly text: string\n}\n',
    `export const SCRIPTS: Readonly<Record<${names('verbs')
      .map((name) => `'${camelCase(name)}'`)
      .join(' | ')}, Script>> = {\n${scripts.join('')}}\n`,
  ].join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(target, generate())
