// What is published, made of the sources: an input for each public subpath of a package, with what they share in chunks; their
// declarations; and one script for service workers that have no modules.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { declarations } from './declarations.mjs'
import { notices } from './notices.mjs'
import { PACKAGES, SUBPATHS } from './packages.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

const common = {
  cwd: root,
  tsconfig: false,
  onLog(_, log) {
    throw new Error(log.message)
  },
}

/** Fields that the constructor sets are not declared a second time in what is published. */
const transform = {
  target: 'es2023',
  assumptions: { setPublicClassFields: true },
  typescript: { removeClassFieldsWithoutInitializer: true },
}

/**
 * Short names for all that is local, while what users meet in a stack or a message keeps its own: classes, methods and properties. The
 * maps lead debuggers to the sources, with their comments.
 */
const keepNames = { class: true, function: false }
const minify = { compress: { keepNames }, mangle: { keepNames } }

/** What a package takes of another it imports by the names that this one has for everybody, and takes nothing else. */
function byName(folder, names) {
  return {
    name: 'by-name',
    resolveId(source, importer) {
      if (importer === undefined || !source.startsWith('.')) return null
      const path = join(dirname(importer), source)
      if (names.has(path)) return { id: names.get(path), external: true }
      if (!path.startsWith(folder)) throw new Error(`${importer} imports ${source}, which is not published`)
      return null
    },
  }
}

async function writePackage({ folder, pkg }) {
  const entries = SUBPATHS.filter((subpath) => subpath.folder === folder)
  const others = SUBPATHS.filter((subpath) => subpath.folder !== folder)
  const names = new Map(others.map(({ source, name }) => [source, name]))
  const commands = Object.values(pkg.bin ?? {}).map((file) => file.slice('./dist/'.length, -'.js'.length))
  const dependencies = Object.keys({ ...pkg.dependencies, ...pkg.peerDependencies })
  const modules = await rolldown({
    ...common,
    input: {
      ...Object.fromEntries(entries.map(({ place, source }) => [place, source])),
      ...Object.fromEntries(commands.map((name) => [name, join(folder, `${name}.ts`)])),
    },
    external: (id) =>
      /^(node|cloudflare):/.test(id) || dependencies.some((name) => id === name || id.startsWith(`${name}/`)),
    platform: 'neutral',
    transform,
    plugins: [byName(folder, names), notices()],
  })
  await modules.write({
    dir: join(folder, 'dist'),
    format: 'es',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    sourcemap: true,
    minify,
  })
  const sources = entries.map(({ source }) => source)
  for (const [file, text] of declarations(sources, names)) {
    const target = join(folder, 'dist', relative(folder, file).replace(/\.ts$/, '.d.ts'))
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, text)
  }
}

export async function writeBundles() {
  for (const one of PACKAGES) await writePackage(one)

  const serviceWorker = await rolldown({
    ...common,
    input: join(root, 'presets/service-worker.ts'),
    platform: 'browser',
    transform,
    plugins: [notices()],
  })
  await serviceWorker.write({ file: 'dist/quayside.sw.js', format: 'iife', name: 'quayside', minify })
}
