// npm run build: tsc writes JavaScript to build/ and declarations to dist/, rollup bundles build/ into dist/. Declarations that no
// subpath leads to are not published.
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

for (const folder of ['build', 'dist'])
  rmSync(new URL(`../${folder}`, import.meta.url), { recursive: true, force: true })
for (const command of ['tsc -p tsconfig.build.json', 'rollup -c --silent']) {
  const { status } = spawnSync(command, {
    shell: true,
    stdio: 'inherit',
    cwd: new URL('..', import.meta.url),
  })
  if (status !== 0) process.exit(1)
}

const root = fileURLToPath(new URL('..', import.meta.url))
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const reached = new Set(Object.values(exports).flatMap(({ types }) => (types ? [join(root, types)] : [])))
for (const file of reached) {
  for (const [, to] of readFileSync(file, 'utf8').matchAll(/(?:from|import\() ?['"](\.[^'"]+)['"]/g))
    reached.add(join(dirname(file), to.replace(/\.[jt]s$/, '.d.ts')))
}
for (const file of globSync('dist/**/*.d.ts', { cwd: root }))
  if (!reached.has(join(root, file))) rmSync(join(root, file))
