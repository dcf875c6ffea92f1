import type { Run } from './harness.ts'

interface Entry {
  readonly title: string
  /** Loaded when it runs, because some sections import the package as it was built just before. */
  load(): Promise<Run>
  readonly needsQuayside?: true
}

/** What `npm run bench` runs and the report shows, in this order. To add a section is to add an entry here. */
export const SECTIONS: Readonly<Record<string, Entry>> = {
  memory: {
    title: 'Memory',
    load: async () => (await import('./sections/memory.ts')).memory,
  },
  'fs-send': {
    title: 'Files: sends',
    load: async () => (await import('./sections/fs.ts')).fsSend,
  },
  'fs-lifecycle': {
    title: 'Files: send, receive, ack',
    load: async () => (await import('./sections/fs.ts')).fsLifecycle,
  },
  'fs-single': {
    title: 'Files: one at a time',
    load: async () => (await import('./sections/fs.ts')).fsSingle,
  },
  sqlite: {
    title: 'SQLite',
    load: async () => (await import('./sections/sqlite.ts')).sqlite,
  },
  postgres: {
    title: 'PostgreSQL',
    load: async () => (await import('./sections/postgres.ts')).postgres,
  },
  'redis-send': {
    title: 'Redis: sends',
    load: async () => (await import('./sections/redis.ts')).redisSend,
  },
  'redis-batch': {
    title: 'Redis: send, receive, ack',
    load: async () => (await import('./sections/redis.ts')).redisBatch,
  },
  'redis-work': {
    title: 'Redis: a handler',
    load: async () => (await import('./sections/redis.ts')).redisWork,
  },
  browser: {
    title: 'Browser',
    load: async () => (await import('./sections/browser.ts')).browser,
    needsQuayside: true,
  },
  edge: {
    title: 'Edge',
    load: async () => (await import('./sections/edge.ts')).edge,
    needsQuayside: true,
  },
  batch: {
    title: 'Throughput by adapter and batch size',
    load: async () => (await import('./sections/batch.ts')).batch,
    needsQuayside: true,
  },
  latency: {
    title: 'Latency',
    load: async () => (await import('./sections/latency.ts')).latency,
    needsQuayside: true,
  },
  growth: {
    title: 'Cost against backlog',
    load: async () => (await import('./sections/growth.ts')).growth,
    needsQuayside: true,
  },
  herd: {
    title: 'Many consumers that wait',
    load: async () => (await import('./sections/life.ts')).herd,
    needsQuayside: true,
  },
  overdue: {
    title: 'Overdue messages',
    load: async () => (await import('./sections/life.ts')).overdue,
    needsQuayside: true,
  },
  pinned: {
    title: 'A message that is never done',
    load: async () => (await import('./sections/life.ts')).pinned,
    needsQuayside: true,
  },
  flight: {
    title: 'Many in flight',
    load: async () => (await import('./sections/life.ts')).flight,
    needsQuayside: true,
  },
  lanes: {
    title: 'Lanes',
    load: async () => (await import('./sections/flow.ts')).lanes,
    needsQuayside: true,
  },
  results: {
    title: 'Results',
    load: async () => (await import('./sections/flow.ts')).results,
    needsQuayside: true,
  },
  recovery: {
    title: 'Recovery',
    load: async () => (await import('./sections/space.ts')).recovery,
    needsQuayside: true,
  },
  space: {
    title: 'Space',
    load: async () => (await import('./sections/space.ts')).space,
    needsQuayside: true,
  },
  size: {
    title: 'Bundle size',
    load: async () => (await import('./sections/size.ts')).size,
    needsQuayside: true,
  },
  micro: {
    title: 'What single steps cost',
    load: async () => (await import('./sections/micro.ts')).micro,
  },
}
