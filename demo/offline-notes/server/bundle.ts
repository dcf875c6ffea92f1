import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { rollup } from 'rollup'

/** A file as the server gives it out. */
export interface Asset {
  readonly type: string
  readonly body: string
}

const root = join(import.meta.dirname, '..')

/** What is served as it is, by path. */
const FILES: Record<string, readonly [file: string, type: string]> = {
  '/': ['page/index.html', 'text/html; charset=utf-8'],
  '/styles.css': ['page/styles.css', 'text/css; charset=utf-8'],
  '/icon.svg': ['page/icon.svg', 'image/svg+xml'],
  '/manifest.webmanifest': ['page/manifest.webmanifest', 'application/manifest+json'],
}

/** Builds the page and its service worker, which knows the page's files by name and version. */
export async function buildAssets(): Promise<Map<string, Asset>> {
  const assets = new Map<string, Asset>()
  for (const [path, [file, type]] of Object.entries(FILES)) {
    assets.set(path, { type, body: await readFile(join(root, file), 'utf8') })
  }
  assets.set('/app.js', script(await bundle('page/app.ts')))
  const version = createHash('sha256')
    .update(JSON.stringify([...assets]))
    .digest('hex')
    .slice(0, 8)
  const shell = JSON.stringify([...assets.keys()])
  assets.set('/sw.js', script(await bundle('page/sw.ts', `const VERSION = '${version}', SHELL = ${shell};`)))
  return assets
}

const script = (body: string): Asset => ({ type: 'text/javascript; charset=utf-8', body })

/** One script, so that the service worker needs no modules, which not every browser lets it have. */
async function bundle(file: string, intro = ''): Promise<string> {
  const build = await rollup({
    input: join(root, file),
    plugins: [
      {
        name: 'types',
        load: async (id) => (id.endsWith('.ts') ? stripTypeScriptTypes(await readFile(id, 'utf8')) : null),
      },
      nodeResolve({ browser: true, extensions: ['.ts', '.js'] }),
    ],
    onwarn(warning) {
      if (warning.code !== 'CIRCULAR_DEPENDENCY') throw new Error(warning.message)
    },
  })
  const { output } = await build.generate({ format: 'iife', intro, inlineDynamicImports: true })
  await build.close()
  return output[0].code
}
