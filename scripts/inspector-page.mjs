// npm run inspector-page: makes inspector/server/page-script.ts of the page that the inspector for servers serves. It is kept as text,
// because a Worker has no files to serve it from.
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { minify } from 'terser'

const folder = new URL('../inspector/server/', import.meta.url)

/** What the generated file must be. */
export async function generate() {
  const build = await rolldown({
    input: fileURLToPath(new URL('page/main.ts', folder)),
    platform: 'browser',
    tsconfig: false,
  })
  const { output } = await build.generate({ format: 'es' })
  await build.close()
  const { code } = await minify(output[0].code, { module: true, ecma: 2022 })
  const version = createHash('sha256').update(code).digest('hex').slice(0, 8)
  return `// Made by "npm run inspector-page" of page/. Not to be edited.

export const PAGE_VERSION = '${version}'

export const PAGE_SCRIPT: string = ${JSON.stringify(code)}
`
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(new URL('page-script.ts', folder), await generate())
