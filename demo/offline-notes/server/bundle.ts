import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { rolldown } from 'rolldown'

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
  await using build = await rolldown({
    input: join(root, file),
    platform: 'browser',
    tsconfig: false,
    onLog(_, log) {
      throw new Error(log.message)
    },
  })
  const { output } = await build.generate({ format: 'iife', intro, codeSplitting: false })
  return output[0].code
}
