// npm run demo:edge [-- --serve]: the Worker in workerd on this machine, with both of its storages, real HTTP requests, and
// a downstream API that refuses one request in ten.
//
//   worker/   what is deployed        page/, public/   what it serves
//   local/    this demo: visitors, the downstream API, wrangler dev
import { execSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startDownstream } from './local/downstream.ts'
import { costOfKV, costOfObject, describe } from './local/report.ts'
import { run } from './local/run.ts'
import { startWorker } from './local/wrangler.ts'

const FORMS = 1000
const STATUS_TOKEN = 'harbour'

const { values } = parseArgs({
  options: { serve: { type: 'boolean', default: false }, port: { type: 'string' } },
})

execSync('node scripts/build.mjs', {
  cwd: join(import.meta.dirname, '../..'),
  stdio: ['ignore', 'ignore', 'inherit'],
})
const downstream = await startDownstream(0.1)
const worker = await startWorker(
  { DOWNSTREAM: downstream.url, STATUS_TOKEN },
  values.port === undefined ? undefined : Number(values.port),
)
try {
  const inObject = await run(worker, downstream, 'durable-object', FORMS, async () => {})
  console.log(describe(inObject, costOfObject(await worker.get('/counted'), FORMS)))
  const inKV = await run(worker, downstream, 'kv', FORMS, () => worker.cron())
  console.log(describe(inKV, costOfKV(await worker.call('kv', 'spent'), FORMS)))
  console.log()
  if (inObject.lost + inKV.lost > 0) process.exitCode = 1
  if (values.serve) {
    console.log(
      `  the form    ${worker.origin}/\n  the status  ${worker.origin}/status   (any name, password "${STATUS_TOKEN}")\n\n  Ctrl-C stops it.\n`,
    )
    await new Promise((resolve) => process.once('SIGINT', resolve))
  }
} finally {
  await worker.close()
  downstream.close()
}
