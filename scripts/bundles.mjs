// What is published, made of the sources: an input for each public subpath of package.json, with what they share in chunks; their
// declarations; and one script for service workers that have no modules.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { declarations } from './declarations.mjs'
import { notices } from './notices.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const pkg = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const dependencies = Object.keys({ ...pkg.dependencies, ...pkg.peerDependencies })

/** The sources of what is published, by where it goes in dist. Targets without types are files as they are. */
const entries = Object.values(pkg.exports).flatMap(({ types }) =>
  types ? [types.slice('./dist/'.length, -'.d.ts'.length)] : [],
)
const sourceOf = (name) => join(root, `${name}.ts`)
const command = pkg.bin.quayside.slice('./dist/'.length, -'.js'.length)

const common = {
  cwd: root,
  tsconfig: false,
  external: (id) =>
    /^(node|cloudflare):/.test(id) || dependencies.some((name) => id === name || id.startsWith(`${name}/`)),
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

export async function writeBundles() {
  const modules = await rolldown({
    ...common,
    input: Object.fromEntries([...entries, command].map((name) => [name, sourceOf(name)])),
    platform: 'neutral',
    transform,
    plugins: [notices()],
  })
  await modules.write({
    dir: 'dist',
    format: 'es',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    sourcemap: true,
    minify,
  })

  const serviceWorker = await rolldown({
    ...common,
    input: sourceOf('presets/service-worker'),
    external: [],
    platform: 'browser',
    transform,
    plugins: [notices()],
  })
  await serviceWorker.write({ file: 'dist/quayside.sw.js', format: 'iife', name: 'quayside', minify })

  for (const [file, text] of declarations(entries.map(sourceOf))) {
    const target = join(root, 'dist', relative(root, file).replace(/\.ts$/, '.d.ts'))
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, text)
  }
}
