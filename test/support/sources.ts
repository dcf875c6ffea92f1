import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

export const ROOT: string = resolve(import.meta.dirname, '../..')

/** Where the published subpaths have their sources: `quayside/fs` is in `adapters/fs/index.ts`. */
export const SOURCES: ReadonlyMap<string, string> = new Map(
  Object.entries(
    (JSON.parse(readFileSync(resolve(ROOT, 'package.json'), 'utf8')) as { exports: Record<string, unknown> })
      .exports,
  ).flatMap(([subpath, target]) => {
    if (typeof target === 'string') return []
    const { types } = target as { types: string }
    return [
      [`quayside${subpath.slice(1)}`, resolve(ROOT, types.replace('./dist/', '').replace('.d.ts', '.ts'))],
    ]
  }),
)
