// Runs scripts of package.json by name, without npm's start-up time for each, and says what failed.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const { scripts } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

/** Runs the named script with its output shown only when it fails; returns whether it succeeded. */
export function step(name) {
  const started = performance.now()
  const { status, stdout, stderr } = spawnSync(scripts[name], {
    shell: true,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(
    `${status === 0 ? 'ok  ' : 'FAIL'}  ${name.padEnd(13)} ${seconds.padStart(5)} s   ${scripts[name]}`,
  )
  if (status !== 0) process.stdout.write(stdout + stderr)
  else if (name === 'size') process.stdout.write(stdout)
  return status === 0
}

/** Everything but the tests, cheapest first. `size`, `lint:package` and `lint:types` look at what `build` made. */
export const STATIC = [
  'format:check',
  'lint',
  'types',
  'types:src',
  'types:bench',
  'build',
  'types:edge', // a Worker that uses what was built
  'lint:package',
  'lint:types',
  'size',
]
