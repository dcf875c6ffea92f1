// npm run build: tsc writes JavaScript to build/ and declarations to dist/, rollup bundles build/ into dist/. Declarations that no
// subpath leads to are not published. Types are not checked: that is npm run types. What was built of the same files is left as it is.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const stamp = join(root, 'node_modules/.cache/build')

/** A hash of files, with their names. */
function hashOf(...patterns) {
  const hash = createHash('sha256')
  for (const name of globSync(patterns, { cwd: root }).sort())
    if (statSync(join(root, name)).isFile()) hash.update(`${name}\n`).update(readFileSync(join(root, name)))
  return hash.digest('hex')
}

const inputs = hashOf(
  '{src,adapters,presets,inspector,cli}/**',
  'tsconfig{,.base,.build}.json',
  'package{,-lock}.json',
  'rollup.config.js',
  'scripts/{build,notices}.mjs',
)
const built = () => `${inputs} ${hashOf('dist/**')}`

function wasBuilt() {
  try {
    return readFileSync(stamp, 'utf8') === built()
  } catch {
    return false // Never built.
  }
}

function build() {
  for (const folder of ['build', 'dist']) rmSync(join(root, folder), { recursive: true, force: true })
  for (const command of ['tsc -p tsconfig.build.json --noCheck', 'rollup -c --silent']) {
    const { status } = spawnSync(command, { shell: true, stdio: 'inherit', cwd: root })
    if (status !== 0) process.exit(1)
  }
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const reached = new Set(Object.values(exports).flatMap(({ types }) => (types ? [join(root, types)] : [])))
  for (const file of reached) {
    for (const [, to] of readFileSync(file, 'utf8').matchAll(/(?:from|import\() ?['"](\.[^'"]+)['"]/g))
      reached.add(join(dirname(file), to.replace(/\.[jt]s$/, '.d.ts')))
  }
  for (const file of globSync('dist/**/*.d.ts', { cwd: root }))
    if (!reached.has(join(root, file))) rmSync(join(root, file))
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, built())
}

if (!wasBuilt()) build()
