// Runs scripts of package.json by name, without npm's start-up time for each, and says what failed.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { globSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'

const { scripts } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

/** Steps that look at nothing but these, by their names or into them: one that found nothing wrong is not run again on the same. */
const LOOKS = {
  // Of code it looks only whether it is made of modules, which is up to the build.
  'lint:package': {
    at: ['{,conformance/}dist/**'],
    into: ['package{,-lock}.json', 'conformance/package.json', 'scripts/{build,bundles,packages}.mjs'],
  },
  'lint:types': {
    at: ['{,conformance/}dist/**'],
    into: ['package{,-lock}.json', 'conformance/package.json', '{,conformance/}dist/**/*.d.ts'],
  },
}
const CACHE = new URL('../node_modules/.cache/', import.meta.url)

/** A hash of what a step looks at, if that is known. */
function seen(name) {
  if (LOOKS[name] === undefined) return undefined
  const hash = createHash('sha256').update(scripts[name])
  const files = (patterns) =>
    globSync(patterns)
      .filter((path) => statSync(path).isFile())
      .sort()
  // The names of chunks have hashes of what is in them.
  for (const path of files(LOOKS[name].at)) hash.update(path.replace(/-[\w-]{8}(?=\.js)/, ''))
  for (const path of files(LOOKS[name].into)) hash.update(path).update(readFileSync(path))
  return hash.digest('hex')
}

/** Runs the named script with its output shown only when it fails; resolves with whether it succeeded. */
export async function step(name) {
  const started = performance.now()
  const what = seen(name)
  const stamp = new URL(name.replace(':', '-'), CACHE)
  if (what !== undefined && what === read(stamp)) {
    console.log(`ok    ${name.padEnd(13)} as before   ${scripts[name]}`)
    return true
  }
  const child = spawn(scripts[name], { shell: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise((resolve) => child.once('close', resolve))
  const [status, ...output] = await Promise.all([ended, buffer(child.stdout), buffer(child.stderr)])
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(
    `${status === 0 ? 'ok  ' : 'FAIL'}  ${name.padEnd(13)} ${seconds.padStart(5)} s   ${scripts[name]}`,
  )
  if (status !== 0) for (const part of output) process.stdout.write(part)
  else if (name === 'size') process.stdout.write(output[0])
  if (status === 0 && what !== undefined) {
    mkdirSync(CACHE, { recursive: true })
    writeFileSync(stamp, what)
  }
  return status === 0
}

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined // Never run.
  }
}

/** Everything but the tests, in two lanes, each with the cheapest first. */
const LANES = [
  ['format:check', 'types', 'types:src', 'lint'],
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
