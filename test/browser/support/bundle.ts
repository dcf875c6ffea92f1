import { resolve } from 'node:path'
import { rolldown } from 'rolldown'
import { ROOT, SOURCES } from '../../support/sources.ts'

export interface BundleOptions {
  /** @defaultValue `es` */
  readonly format?: 'es' | 'iife'
  readonly external?: readonly string[]
  readonly minify?: boolean
  /** @defaultValue `production` */
  readonly mode?: 'production' | 'development'
}

/** A `$` ends what must match as a whole. */
const alias = Object.fromEntries([...SOURCES].map(([name, source]) => [`${name}$`, source]))

const made = new Map<string, Promise<string>>()

/** Bundles a TypeScript file, with all it imports but what is `external`, to one script for browsers: once for all files of a worker. */
export function bundle(file: string, options: BundleOptions = {}): Promise<string> {
  const key = JSON.stringify([file, options])
  const script = made.get(key) ?? build(file, options)
  made.set(key, script)
  return script
}

async function build(
  file: string,
  { format = 'es', external = [], minify = false, mode = 'production' }: BundleOptions,
): Promise<string> {
  await using rolled = await rolldown({
    input: resolve(ROOT, file),
    external: [...external],
    platform: 'browser',
    tsconfig: false,
    resolve: { alias },
    // Workbox and React ask for it.
    transform: { define: { 'process.env.NODE_ENV': JSON.stringify(mode) } },
    onwarn(warning) {
      throw new Error(warning.message)
    },
  })
  const { output } = await rolled.generate({ format, name: 'quayside', codeSplitting: false, minify })
  return output[0].code
}
