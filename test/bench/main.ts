// npm run bench [-- SECTION…] [--slices 5] [--ms 300] [--many 1000000] [--write] [--peers] [--render]
//
// Without a section it runs all of them and writes RESULTS.md, its plots and the table of docs/speed.md. With sections, it writes
// only with --write, and then the parts of these. --peers leaves quayside out, needs no build and writes nothing. --render
// measures nothing and writes the report anew from results.json.
import { execSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { conditions } from './conditions.ts'
import { type Options, printGoals, startSection } from './harness.ts'
import { merge, readResults, write } from './report/files.ts'
import type { Section } from './report/model.ts'
import { SECTIONS } from './sections.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    slices: { type: 'string', default: '5' },
    ms: { type: 'string', default: '300' },
    many: { type: 'string', default: '1000000' },
    write: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: false },
    render: { type: 'boolean', default: false },
  },
})
const all = Object.keys(SECTIONS)
const unknown = positionals.find((name) => !all.includes(name))
if (unknown !== undefined) {
  console.error(`bench: no section "${unknown}"; there are: ${all.join(', ')}`)
  process.exit(2)
}
if (values.render) {
  write(merge(readResults(), [], all))
  process.exit()
}

const options: Options = {
  slices: Number(values.slices),
  warmups: 1,
  sliceMs: Number(values.ms),
  many: Number(values.many),
}
const root = fileURLToPath(new URL('../..', import.meta.url))
if (!values.peers) execSync('node scripts/build.mjs', { cwd: root, stdio: 'inherit' })

const names =
  positionals.length > 0
    ? positionals
    : all.filter((name) => !(values.peers && SECTIONS[name]!.needsQuayside))
const ran: Section[] = []
for (const name of names) {
  const { title, load } = SECTIONS[name]!
  console.log(`\n## ${title}`)
  const section = startSection(name, title)
  ran.push(section)
  section.conditions = conditions(options)
  const started = performance.now()
  try {
    const run = await load()
    await run(options, !values.peers)
  } catch (error) {
    // The others are worth their time even so.
    console.error(error)
    section.failed = (error as Error).message.split('\n')[0]!.replaceAll(root, '')
    process.exitCode = 1
  }
  console.log(`\n(${((performance.now() - started) / 1000).toFixed(0)} s)`)
}
printGoals()
if (values.write || (positionals.length === 0 && !values.peers)) write(merge(readResults(), ran, all))
process.exit()
