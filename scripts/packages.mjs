// The packages that this repository publishes, and where each of their subpaths has its source.
import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** By their folders: quayside itself, and the suite, which nobody needs who builds a queue into an app. */
export const PACKAGES = ['', 'conformance'].map((name) => {
  const folder = join(root, name)
  return { folder, pkg: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) }
})

/**
 * Of each subpath: its name, the folder of its package, where it goes in `dist` there, without an ending, its source, and where the
 * reference of the site has it.
 */
export const SUBPATHS = PACKAGES.flatMap(({ folder, pkg }) =>
  // Targets without types are files as they are.
  Object.entries(pkg.exports).flatMap(([subpath, { types }]) => {
    if (types === undefined) return []
    const place = types.slice('./dist/'.length, -'.d.ts'.length)
    const source = join(folder, `${place}.ts`)
    const page = relative(root, source)
      .replaceAll('\\', '/')
      .replace(/(\/index)?\.ts$/, '')
    return { name: pkg.name + subpath.slice(1), folder, place, source, page }
  }),
)
