import { resolve } from 'node:path'
import { SUBPATHS } from '../../scripts/packages.mjs'

export const ROOT: string = resolve(import.meta.dirname, '../..')

/** Where the published subpaths have their sources: `quayside/fs` is in `adapters/fs/index.ts`. */
export const SOURCES: ReadonlyMap<string, string> = new Map(
  SUBPATHS.map(({ name, source }) => [name, source]),
)
