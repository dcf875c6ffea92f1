import type { Run } from './harness.ts'
import { batch } from './sections/batch.ts'
import { browser } from './sections/browser.ts'
import { fsLifecycle, fsSend, fsSingle } from './sections/fs.ts'
import { growth } from './sections/growth.ts'
import { latency } from './sections/latency.ts'
import { memory } from './sections/memory.ts'
import { micro } from './sections/micro.ts'
import { size } from './sections/size.ts'
import { recovery, space } from './sections/space.ts'

/** What `npm run bench` runs and the report shows, in this order. To add a section is to add a line here. */
export const SECTIONS: Readonly<Record<string, { title: string; run: Run; needsQuayside?: true }>> = {
  memory: { title: 'Memory', run: memory },
  'fs-send': { title: 'Files: sends', run: fsSend },
  'fs-lifecycle': { title: 'Files: send, receive, ack', run: fsLifecycle },
  'fs-single': { title: 'Files: one at a time', run: fsSingle },
  batch: { title: 'Throughput by adapter and batch size', run: batch, needsQuayside: true },
  latency: { title: 'Latency', run: latency, needsQuayside: true },
  growth: { title: 'Cost against backlog', run: growth, needsQuayside: true },
  recovery: { title: 'Recovery', run: recovery, needsQuayside: true },
  space: { title: 'Space', run: space, needsQuayside: true },
  size: { title: 'Bundle size', run: size, needsQuayside: true },
  browser: { title: 'Browser', run: browser, needsQuayside: true },
  micro: { title: 'What single steps cost', run: micro },
}
