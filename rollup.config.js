// One input per public subpath of package.json, bundled from what tsc emitted into build/; shared code goes to chunks.
// And one script for service workers that have no modules.
import { existsSync, readFileSync } from 'node:fs'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { minify } from 'terser'
import { notices } from './scripts/notices.mjs'

const pkg = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8'))
const dependencies = Object.keys({ ...pkg.dependencies, ...pkg.peerDependencies })

const input = {}
for (const target of [...Object.values(pkg.exports), ...Object.values(pkg.bin)]) {
  // Those without types are files as they are: package.json, and the script of below.
  if (!target.default && target !== pkg.bin.quayside) continue
  const path = (target.default ?? target).slice('./dist/'.length)
  input[path.slice(0, -'.js'.length)] = `build/${path}`
}

function onwarn(warning) {
  throw new Error(warning.message)
}

/** The maps of tsc, so that those of what is published lead to the sources. */
const maps = {
  name: 'maps',
  load(id) {
    const map = `${id}.map`
    return existsSync(map)
      ? { code: readFileSync(id, 'utf8'), map: JSON.parse(readFileSync(map, 'utf8')) }
      : null
  },
}

/** Comments are in the declarations and in the maps; whoever installs the package need not have them a third time. */
const withoutComments = {
  name: 'without-comments',
  renderChunk: (code) =>
    minify(code, {
      module: true,
      compress: false,
      mangle: false,
      sourceMap: true,
      format: { beautify: true, indent_level: 2, comments: false, preserve_annotations: true },
    }),
}

const modules = {
  input,
  plugins: [maps, withoutComments, notices()],
  external: (id) =>
    /^(node|cloudflare):/.test(id) || dependencies.some((name) => id === name || id.startsWith(`${name}/`)),
  output: {
    dir: 'dist',
    format: 'es',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    generatedCode: 'es2015',
    hoistTransitiveImports: false,
    sourcemap: true,
  },
  onwarn,
}

const serviceWorker = {
  input: 'build/presets/service-worker.js',
  plugins: [
    nodeResolve({ browser: true }),
    { name: 'minify', renderChunk: (code) => minify(code, { ecma: 2020 }) },
    notices(),
  ],
  output: { file: 'dist/quayside.sw.js', format: 'iife', name: 'quayside' },
  onwarn,
}

export default [modules, serviceWorker]
