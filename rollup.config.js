// One input per public subpath of package.json, bundled from what tsc emitted into build/; shared code goes to chunks.
// And one script for service workers that have no modules.
import { readFileSync } from 'node:fs'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { minify } from 'terser'
import { notices } from './scripts/notices.mjs'

const pkg = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8'))
const dependencies = Object.keys({ ...pkg.dependencies, ...pkg.peerDependencies })

const input = {}
for (const target of [...Object.values(pkg.exports), ...Object.values(pkg.bin)]) {
  if (target === './package.json') continue
  const path = (target.default ?? target).slice('./dist/'.length)
  input[path.slice(0, -'.js'.length)] = `build/${path}`
}

function onwarn(warning) {
  throw new Error(warning.message)
}

const modules = {
  input,
  plugins: [notices()],
  external: (id) =>
    /^(node|cloudflare):/.test(id) || dependencies.some((name) => id === name || id.startsWith(`${name}/`)),
  output: {
    dir: 'dist',
    format: 'es',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    generatedCode: 'es2015',
    hoistTransitiveImports: false,
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
