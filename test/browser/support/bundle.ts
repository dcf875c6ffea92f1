import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { resolve } from 'node:path'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { rollup } from 'rollup'
import { ROOT, SOURCES } from '../../support/sources.ts'

/** Bundles a TypeScript file, with all it imports but what is `external`, to one script for browsers. */
export async function bundle(
  file: string,
  format: 'es' | 'iife' = 'es',
  external: readonly string[] = [],
): Promise<string> {
  const build = await rollup({
    input: resolve(ROOT, file),
    external: [...external],
    plugins: [
      {
        name: 'sources',
        resolveId: (id) => SOURCES.get(id) ?? null,
        // Workbox asks for it.
        transform: (code) => code.replaceAll('process.env.NODE_ENV', '"production"'),
        load: async (id) => (id.endsWith('.ts') ? stripTypes(await readFile(id, 'utf8')) : null),
      },
      nodeResolve({ browser: true, extensions: ['.ts', '.mjs', '.js'] }),
    ],
    onwarn(warning) {
      if (warning.code !== 'CIRCULAR_DEPENDENCY') throw new Error(warning.message)
    },
  })
  const { output } = await build.generate({ format, name: 'quayside', inlineDynamicImports: true })
  await build.close()
  return output[0].code
}

function stripTypes(code: string): string {
  return stripTypeScriptTypes(code, { mode: 'strip' })
}
