// One input per public subpath of package.json, bundled from what tsc emitted into build/; shared code goes to chunks.
import { readFileSync } from 'node:fs'

const pkg = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8'))
const dependencies = Object.keys({ ...pkg.dependencies, ...pkg.peerDependencies })

const input = {}
for (const target of Object.values(pkg.exports)) {
  if (typeof target === 'string') continue // ./package.json
  const path = target.default.slice('./dist/'.length)
  input[path.slice(0, -'.js'.length)] = `build/${path}`
}

export default {
  input,
  external: (id) =>
    id.startsWith('node:') || dependencies.some((name) => id === name || id.startsWith(`${name}/`)),
  output: {
    dir: 'dist',
    format: 'es',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    generatedCode: 'es2015',
    hoistTransitiveImports: false,
  },
  onwarn(warning) {
    throw new Error(warning.message)
  },
}
