// npm test: the static checks, all tests, and the built package on the oldest Node that it supports.
// With --all (npm run test:all) the tests do much of what is random or repeated, and draw lots anew: see test/support/effort.ts, lots.ts.
// The last line is the total of all tests; the exit code is 0 only if every step succeeded too.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { advice, installPrograms } from './programs.mjs'
import { staticSteps } from './steps.mjs'
import { systemNode } from './system-node.mjs'

// Tests that need a program that is not there fail, each with this advice.
for (const program of installPrograms()) console.error(`setup: ${advice(program)}`)

const words = process.argv.slice(2)
const isFull = words[0] === '--all'
if (isFull) words.shift()

const failed = await staticSteps()
if (!smoke()) failed.push('smoke')

const folder = mkdtempSync(join(isFull ? tmpdir() : (memory() ?? tmpdir()), 'quayside-test-'))
// PostgreSQL refuses to run as root: as somebody else it must get through to its folder.
chmodSync(folder, 0o711)
const file = join(folder, 'totals')
const { status } = spawnSync('vitest', ['run', ...words], {
  stdio: 'inherit',
  shell: process.platform === 'win32',
  env: {
    ...process.env,
    TEST_TOTALS: file,
    TMPDIR: folder,
    // Hundreds of processes load the same modules: each is compiled once.
    NODE_COMPILE_CACHE: join(folder, 'compiled'),
    ...(isFull ? { EFFORT: 'full' } : lots()),
  },
})
let totals
try {
  totals = readFileSync(file, 'utf8').trim()
} catch {
  totals = '0 passed, 1 failed' // the runner died before it could count
}
rmSync(folder, { recursive: true, force: true })

if (status !== 0) failed.push('vitest')
if (failed.length > 0) console.log(`\nfailed: ${failed.join(', ')}`)
console.log(totals)
process.exitCode = failed.length > 0 || !/, 0 failed/.test(totals) ? 1 : 0

/** For test/support/lots.ts: a number made of all files that are committed, where there is a repository. */
function lots() {
  const { status, stdout } = spawnSync('git', ['rev-parse', 'HEAD^{tree}'], { encoding: 'utf8' })
  if (process.env.LOTS !== undefined || status !== 0) return {}
  const LOTS = String(Number.parseInt(stdout.slice(0, 7), 16))
  console.log(`lots  LOTS=${LOTS}`)
  return { LOTS }
}

/** A file system in memory with much room, if there is one: on it nothing waits for a disk. All tests together do. */
function memory() {
  const path = '/dev/shm'
  try {
    const { bavail, bsize } = statfsSync(path)
    return bavail * bsize > 4 * 1024 ** 3 ? path : undefined
  } catch {
    return undefined
  }
}

/** Runs the built package on the system's Node, if that is a 20; ours is a 24. */
function smoke() {
  const node = systemNode()
  if (!node?.version.startsWith('20.')) {
    console.log(
      `skip  smoke                 the system has ${node ? `Node ${node.version}` : 'no Node'}, not Node 20`,
    )
    return true
  }
  const run = spawnSync(node.path, ['scripts/smoke.mjs'], { encoding: 'utf8' })
  console.log(`${run.status === 0 ? 'ok  ' : 'FAIL'}  smoke                 dist on Node ${node.version}`)
  if (run.status !== 0) process.stdout.write(run.stdout + run.stderr)
  return run.status === 0
}
