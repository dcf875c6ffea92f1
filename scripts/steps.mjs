// Runs scripts of package.json by name, without npm's start-up time for each, and says what failed.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'

const { scripts } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

/** Runs the named script with its output shown only when it fails; resolves with whether it succeeded. */
export async function step(name) {
  const started = performance.now()
  const child = spawn(scripts[name], { shell: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise((resolve) => child.once('close', resolve))
  const [status, ...output] = await Promise.all([ended, buffer(child.stdout), buffer(child.stderr)])
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(
    `${status === 0 ? 'ok  ' : 'FAIL'}  ${name.padEnd(13)} ${seconds.padStart(5)} s   ${scripts[name]}`,
  )
  if (status !== 0) for (const part of output) process.stdout.write(part)
  else if (name === 'size') process.stdout.write(output[0])
  return status === 0
}

/** Everything but the tests, in two lanes, each with the cheapest first. */
const LANES = [
  ['format:check', 'types', 'types:src', 'types:bench', 'lint'],
  [
    'build', // The steps behind it look at what it made.
    'types:edge', // a Worker that uses what was built
    'lint:package',
    'lint:types',
    'size',
  ],
]

/** Runs all that, and resolves with the names of what failed. */
export async function staticSteps() {
  const failed = LANES.map(async (lane) => {
    const names = []
    for (const name of lane) if (!(await step(name))) names.push(name)
    return names
  })
  return (await Promise.all(failed)).flat()
}
