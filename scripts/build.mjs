// npm run build: tsc writes JavaScript to build/ and declarations to dist/, rollup bundles build/ into dist/.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'

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
