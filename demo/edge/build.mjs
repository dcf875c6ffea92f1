// Bundles the status page, which shows the inspector, into public/, which the Worker serves.
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))

await build({
  entryPoints: [here('page/status.ts')],
  outfile: here('public/status.js'),
  bundle: true,
  format: 'esm',
  minify: true,
  logLevel: 'warning',
})
