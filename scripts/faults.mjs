// npm run test:faults: what npm test does a little of, for long, and what came of it in numbers. How much is said by the
// environment: HISTORIES (of each adapter, 2,000), KILLS (of processes, 1,000), BROWSER_KILLS (300), REDIS_KILLS (200).
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { advice, installPrograms } from './programs.mjs'

for (const program of installPrograms()) console.error(`setup: ${advice(program)}`)

const { HISTORIES = '2000', KILLS = '1000', BROWSER_KILLS = '300', REDIS_KILLS = '200' } = process.env
const folder = mkdtempSync(join(tmpdir(), 'quayside-faults-'))
const FAULTS_REPORT = join(folder, 'report')

/** Each in a run of its own, one after the other: a busy machine would make the kills come too early. */
const RUNS = [
  ['test/faults', 'test/security', { HISTORIES }],
  ['test/crash', { KILLS }],
  ['test/browser/kill', { KILLS: BROWSER_KILLS }],
  ['test/redis/kill', { KILLS: REDIS_KILLS }],
]

let failed = false
for (const run of RUNS) {
  const { status } = spawnSync('vitest', ['run', ...run.slice(0, -1), ...process.argv.slice(2)], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
    env: { ...process.env, ...run.at(-1), FAULTS_REPORT },
  })
  failed ||= status !== 0
}

const rows = readLines(FAULTS_REPORT).map((line) => JSON.parse(line))
const number = (value) => (value === undefined ? '' : value.toLocaleString('en'))
console.log('\n| adapter | fault | histories | faults | kills | messages | violations |')
console.log('|---|---|---|---|---|---|---|')
for (const { adapter, fault, histories, faults, kills, messages, violations } of rows) {
  const numbers = [histories, faults, kills, messages, violations].map(number)
  console.log(`| ${[adapter, fault, ...numbers].join(' | ')} |`)
}
rmSync(folder, { recursive: true })
if (failed || rows.length === 0) {
  console.error('test:faults: failed, see above')
  process.exitCode = 1
}

function readLines(file) {
  try {
    return readFileSync(file, 'utf8').trim().split('\n')
  } catch {
    return [] // Nothing got so far.
  }
}
