// npm run test:life [-- --seeds 100] [--from 1] [--steps 200] [--log]
//
// People with tabs, workers, networks and servers, all at random from a seed. Says what went wrong, by seed; `--log` tells all that
// happened in the last of them.
import { parseArgs } from 'node:util'
import { live } from './life.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    steps: { type: 'string', default: '200' },
    log: { type: 'boolean', default: false },
  },
})
const from = Number(values.from)
let [wishes, requests, bad] = [0, 0, 0]
for (let seed = from; seed < from + Number(values.seeds); seed++) {
  const report = await live(seed, Number(values.steps))
  wishes += report.wishes
  requests += report.requests
  if (values.log) console.log(report.log.join('\n'))
  if (report.problems.length === 0) continue
  bad++
  console.log(`seed ${seed}:\n  ${report.problems.slice(0, 8).join('\n  ')}`)
}
console.log(`${values.seeds} lives, ${wishes} wishes, ${requests} requests; ${bad} lives had problems`)
process.exit(bad > 0 ? 1 : 0)
