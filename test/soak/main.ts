// npm run test:soak [-- --seconds 600] [--scale 20] [STORAGE…]
//
// Runs all features mixed on memory, files and Redis, at once and in a process each, with one handler that hangs and one
// group that is slow. Says what heap, disk, Redis' memory and rows came to, and whether they stayed flat. The queues' clock
// runs `scale` times as fast as the machine's, so that delays, leases and ids come to their end many times.
import { parseArgs } from 'node:util'
import { installPrograms } from '../../scripts/programs.mjs'
import { soak } from './soak.ts'
import { SUBJECTS } from './subjects.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '600' },
    scale: { type: 'string', default: '20' },
  },
})
const names = positionals.length > 0 ? positionals : Object.keys(SUBJECTS)
const unknown = names.find((name) => !(name in SUBJECTS))
if (unknown !== undefined) {
  console.error(`test:soak: no storage "${unknown}"; there are: ${Object.keys(SUBJECTS).join(', ')}`)
  process.exit(2)
}
if (names.includes('redis')) installPrograms(['redis'])

const outcomes = await Promise.all(
  names.map((name) => soak(name, { seconds: Number(values.seconds), scale: Number(values.scale) })),
)
console.log(
  '\n| storage | sent | | first | last | growth over the second half | for each message | allowed | |',
)
console.log('|---|---|---|---|---|---|---|---|---|')
const amount = (bytes: number): string => Math.round(bytes).toLocaleString('en')
for (const { name, sent, verdicts, problems } of outcomes) {
  for (const { what, first, last, growth, perMessage, allowed, isFlat } of verdicts) {
    const figures = [amount(first), amount(last), amount(growth), perMessage.toFixed(1), amount(allowed)]
    console.log(`| ${[name, amount(sent), what, ...figures, isFlat ? 'flat' : '**GROWS**'].join(' | ')} |`)
  }
  for (const problem of problems) console.log(`\n${name}: ${problem}`)
}
if (outcomes.some(({ verdicts, problems }) => problems.length > 0 || verdicts.some(({ isFlat }) => !isFlat)))
  process.exitCode = 1
