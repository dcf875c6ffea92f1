// npm run build: makes the dist/ of each package of the sources. Types are not checked: that is npm run types. What was built of the same files is left as it is.
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
  'conformance/{*,cases/*}',
  'package{,-lock}.json',
  'scripts/{build,bundles,declarations,notices,packages}.mjs',
)
const built = () => `${inputs} ${hashOf('{,conformance/}dist/**')}`

function wasBuilt() {
  try {
    return readFileSync(stamp, 'utf8') === built()
  } catch {
    return false // Never built.
  }
}

async function build() {
  for (const dist of ['dist', 'conformance/dist']) rmSync(join(root, dist), { recursive: true, force: true })
  const { writeBundles } = await import('./bundles.mjs')
  await writeBundles()
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, built())
}

if (!wasBuilt()) await build()
