// npm run bench [-- SECTION…] [--slices 7] [--ms 400] [--many 1000000] [--peers]
//
// --peers leaves quayside out and needs no build.
import { execSync } from 'node:child_process'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Options, print, printGoals } from './harness.ts'
import { browser } from './sections/browser.ts'
import { fsLifecycle, fsSend, fsSingle } from './sections/fs.ts'
import { growth } from './sections/growth.ts'
import { memory } from './sections/memory.ts'
import { micro } from './sections/micro.ts'
import { redisBatch, redisSend, redisWork } from './sections/redis.ts'
import { recovery, space } from './sections/space.ts'

const SECTIONS: Record<string, (options: Options, withQuayside: boolean) => Promise<void>> = {
  micro,
  memory,
  'fs-send': fsSend,
  'fs-lifecycle': fsLifecycle,
  'fs-single': fsSingle,
  'redis-send': redisSend,
  'redis-batch': redisBatch,
  'redis-work': redisWork,
  recovery,
  growth,
  space,
  browser,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    slices: { type: 'string', default: '7' },
    ms: { type: 'string', default: '400' },
    many: { type: 'string', default: '1000000' },
    peers: { type: 'boolean', default: false },
  },
})
const options: Options = {
  slices: Number(values.slices),
  warmups: 1,
  sliceMs: Number(values.ms),
  many: Number(values.many),
}
const alone = ['recovery', 'growth', 'space', 'browser']
const names =
  positionals.length > 0
    ? positionals
    : Object.keys(SECTIONS).filter((name) => !(values.peers && alone.includes(name)))
for (const name of names) {
  if (!(name in SECTIONS)) {
    console.error(`bench: no section "${name}"; there are: ${Object.keys(SECTIONS).join(', ')}`)
    process.exit(2)
  }
}

if (!values.peers) {
  execSync('node scripts/build.mjs', {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    stdio: 'inherit',
  })
}
print(
  `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model.trim()}; ` +
    `median of ${options.slices} interleaved slices of ${options.sliceMs} ms`,
)
for (const name of names) await SECTIONS[name]!(options, !values.peers)
printGoals()
