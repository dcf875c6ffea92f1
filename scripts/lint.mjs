// npm run lint: oxlint, on the files in which it has not found nothing wrong yet: those that changed, and those that lead to one whose
// declarations did, because the rules that know types look there, too. What is the same for all (settings, packages, declarations of
// globals) counts for all.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isolatedDeclarationSync } from 'rolldown/experimental'

const root = fileURLToPath(new URL('..', import.meta.url))
const stamp = join(root, 'node_modules/.cache/lint.json')

/** The files of the repository, new ones included; undefined where there is no git to ask. */
function filesOf() {
  const { status, stdout } = spawnSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 1e8,
    },
  )
  return status === 0
    ? stdout.split('\0').filter((name) => name !== '' && existsSync(join(root, name)))
    : undefined
}

const sha = (...texts) =>
  texts.reduce((hash, text) => hash.update(`${text}\n`), createHash('sha256')).digest('hex')

/** An import of the package by its name; those in examples begin with an asterisk. */
const OWN_NAME = /^(?:import|export|\} from)[^'"\n]*['"]quayside['"/]/m

/** For each file that is linted, a hash of all that rules see of it. */
function hashesOf(files) {
  const texts = new Map()
  const global = []
  for (const name of files) {
    if (/\.[cm]?[jt]sx?$/.test(name)) texts.set(name, readFileSync(join(root, name), 'utf8'))
    if (/\.d\.[cm]?ts$|(^|\/)(tsconfig[^/]*|package|package-lock|\.oxlintrc)\.json$/.test(name))
      global.push(name, readFileSync(join(root, name), 'utf8'))
  }
  const own = new Map([...texts].map(([name, text]) => [name, sha(text)]))
  const shown = new Map([...texts].map(([name, text]) => [name, sha(shownOf(name, text))]))
  const common = sha(...global)
  // By their own names the sources lead to all of src and adapters.
  const named = sha(...[...shown].filter(([name]) => /^(src|adapters|presets|inspector)\//.test(name)).flat())
  const leads = new Map(
    [...texts].map(([name, text]) => [name, importsOf(name, text).filter((to) => own.has(to))]),
  )
  return new Map(
    [...texts.keys()].map((name) => {
      const reached = new Set([name])
      for (const from of reached) for (const to of leads.get(from)) reached.add(to)
      const parts = [...reached].map((one) => (one === name ? own : shown).get(one))
      if ([...reached].some((one) => OWN_NAME.test(texts.get(one)))) parts.push(named)
      return [name, sha(common, ...parts)]
    }),
  )
}

/** What others see of a file: its declarations, where it says all types itself. A circle of imports is seen in the file that closes it. */
function shownOf(name, text) {
  if (!name.endsWith('.ts')) return text
  const { code, errors } = isolatedDeclarationSync(name, text, { stripInternal: false })
  return errors.length > 0 ? text : code
}

/** Whatever looks like the path of a file in a string: better one too many. */
function importsOf(name, text) {
  return [...text.matchAll(/['"](\.{1,2}\/[^'"\n]+)['"]/g)].map(([, path]) =>
    join(dirname(name), path).replaceAll('\\', '/'),
  )
}

function known() {
  try {
    return JSON.parse(readFileSync(stamp, 'utf8'))
  } catch {
    return {} // Never linted.
  }
}

const files = filesOf()
const hashes = hashesOf(files ?? [])
const before = known()
const changed = [...hashes].filter(([name, hash]) => before[name] !== hash).map(([name]) => name)
if (files === undefined || changed.length > 0) {
  // Where there are many, it finds them faster than they are told.
  const which = files === undefined || changed.length > hashes.size / 2 ? [] : changed
  const { status } = spawnSync('oxlint', ['--type-aware', '--deny-warnings', ...which], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.exit(1)
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, JSON.stringify(Object.fromEntries(hashes)))
}
