// Several processes and threads on one file: leases and limits are exact, and who waits is woken.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Worker } from 'node:worker_threads'
import { expect, onTestFinished, test } from 'vitest'
import { Bell } from '../../adapters/sqlite/bell.ts'
import { BellFile } from '../../adapters/sqlite/bell-file.ts'
import { SQLiteAdapter } from '../../adapters/sqlite/index.ts'
import { Queue } from '../../src/index.ts'
import { uuid } from '../../src/message-id.ts'
import { effort } from '../support/effort.ts'

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'quayside-sqlite-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return join(directory, 'queues.db')
}

function openQueue<T>(file: string, name: string): Queue<T> {
  const queue = new Queue<T>(name, { storage: new SQLiteAdapter(file) })
  onTestFinished(() => queue.close())
  return queue
}

function start(script: string, ...args: readonly string[]) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'support', script), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!

test('who waits in another process is woken, from which nothing is heard before', async () => {
  const file = temporary()
  const queue = openQueue<readonly [string, number]>(file, 'wake')
  const producer = queue.createProducer()
  const child = start('consumer-child.ts', file)
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (data: string) => (said += data))
  await expect.poll(() => said).toContain('ready\n')
  const { idleMs, sends } = effort({
    quick: { idleMs: 500, sends: 20 },
    full: { idleMs: 7000, sends: 500 },
  })
  // Until it does nothing but wait, which it cannot be asked.
  await new Promise((resolve) => setTimeout(resolve, idleMs))
  // On a connection that the other process has never heard of, too.
  const connection = new DatabaseSync(file, { timeout: 60_000 })
  onTestFinished(() => connection.close())
  for (let n = 0; n <= sends; n++) {
    const name = n === sends ? 'end' : `m${n}`
    const payload = [name, performance.timeOrigin + performance.now()] as const
    if (n % 4 === 0) {
      connection.exec('BEGIN IMMEDIATE')
      void producer.within(connection).send(payload)
      connection.exec('COMMIT')
    } else await producer.send(payload)
    await expect.poll(() => said, { interval: 1, timeout: 60_000 }).toContain(`got ${name} `)
  }
  await once(child, 'exit')
  const late = [...said.matchAll(/^got \S+ (\S+)$/gm)].map(([, ms]) => Number(ms))
  const cpu = /^cpu (\S+)$/m.exec(said)![1]
  console.log(`woken after ${median(late).toFixed(1)} ms (median of ${late.length}); ${cpu} ms of CPU in all`)
  // The aim is 5 ms; who looks by himself comes after 30 s.
  expect(median(late)).toBeLessThan(5000)
})

test('a bell that somebody has removed is heard again, also of those that come later', async () => {
  const file = temporary()
  const files = Array.from({ length: 3 }, (_, i) => new BellFile(file, i < 2))
  const [here, there, later] = files as [BellFile, BellFile, BellFile]
  const heard: string[] = []
  const bell = new Bell(here, {
    isNews: () => true,
    hear: (rang) => void heard.push([1, 2, 3].filter(rang).join()),
  })
  const bells = [bell, new Bell(there), new Bell(later)]
  onTestFinished(() => bells.forEach((one) => one.close()))
  bells[1]!.ring(1, true)
  bell.listen()
  rmSync(here.path)
  // Everything may have been missed.
  await expect.poll(() => heard, { timeout: 45_000 }).toContain('1,2,3')
  for (const [number, one] of [
    [2, bells[1]!],
    [3, bells[2]!],
  ] as const) {
    one.ring(number, true)
    await expect.poll(() => heard, { timeout: 45_000 }).toContain(`${number}`)
  }
})

test('five processes never have more of a lane in flight than may be', { timeout: 600_000 }, async () => {
  const file = temporary()
  const counts = `${file}-counts`
  const { messages, lanes } = effort({
    quick: { messages: 300, lanes: 10 },
    full: { messages: 20_000, lanes: 200 },
  })
  const database = new DatabaseSync(counts)
  database.exec(
    "PRAGMA journal_mode = WAL; CREATE TABLE lanes (lane TEXT PRIMARY KEY, n INTEGER); INSERT INTO lanes VALUES ('acked', 0)",
  )
  for (let i = 0; i < lanes; i++) database.prepare('INSERT INTO lanes VALUES (?, 0)').run(`lane-${i}`)
  database.close()
  const adapter = new SQLiteAdapter(file)
  onTestFinished(() => adapter.close())
  const queue = await adapter.open('orders')
  await queue.claim({ group: 'g', limit: 0, leaseMs: 1000, maxAttempts: 1 })
  const all = Array.from({ length: messages }, (_, i) => ({ body: `${i}`, lane: `lane-${i % lanes}` }))
  for (let i = 0; i < messages; i += 1000) await queue.append(all.slice(i, i + 1000), { batchId: uuid() })
  const outputs = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const child = start('lanes-child.ts', file, counts, '3', `${messages}`)
      const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
      expect(code).toBe(0)
      return output
    }),
  )
  expect(outputs.flatMap((output) => output.match(/^over .*$/gm) ?? [])).toEqual([])
  const acked = outputs.map((output) => Number(/^acked (\d+)$/m.exec(output)![1]))
  expect(acked.reduce((sum, n) => sum + n)).toBe(messages)
  expect((await queue.stats()).groups['g']).toMatchObject({ ready: 0, leased: 0, acked: messages })
})

test('threads of one process share a file, and each message goes to one of them', async () => {
  const file = temporary()
  const queue = openQueue<number>(file, 'orders')
  const count = 300
  await queue.createProducer().sendBatch(Array.from({ length: count }, (_, payload) => ({ payload })))
  const workers = Array.from(
    { length: 2 },
    () => new Worker(new URL('support/thread.ts', import.meta.url), { workerData: file }),
  )
  const own: number[] = []
  const taken = await Promise.all([
    ...workers.map(async (worker) => (await once(worker, 'message'))[0] as number[]),
    queue.createConsumer('workers').drain(({ payload }) => void own.push(payload), { concurrency: 5 }),
  ])
  const all = [...own, ...(taken[0] as number[]), ...(taken[1] as number[])]
  expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n))
})

test('nobody is told of a lock: who finds it taken comes again, and the event loop goes on meanwhile', async () => {
  const file = temporary()
  const queue = openQueue<number>(file, 'orders')
  await queue.createProducer().send(1)
  const other = new DatabaseSync(file)
  onTestFinished(() => other.close())
  other.exec('BEGIN IMMEDIATE')
  let done = false
  const sent = queue
    .createProducer()
    .send(2)
    .then(() => (done = true))
  // Turns enough to send for one that does not wait for the lock.
  for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setTimeout(resolve, 1))
  expect(done).toBe(false)
  // Who only looks waits for nobody.
  expect((await openQueue(file, 'orders').stats()).messages).toBe(1)
  other.exec('COMMIT')
  await sent
  expect((await queue.stats()).messages).toBe(2)
})

test('a lock that is never given back is told of in time', async () => {
  const file = temporary()
  const queue = new Queue('orders', { storage: new SQLiteAdapter(file, { timeoutMs: 20 }) })
  await queue.createProducer().send(1)
  const other = new DatabaseSync(file)
  onTestFinished(() => other.close())
  other.exec('BEGIN IMMEDIATE')
  await expect(queue.createProducer().send(2)).rejects.toMatchObject({ code: 'TIMEOUT' })
  other.exec('COMMIT')
  await queue.createProducer().send(3)
  expect((await queue.stats()).messages).toBe(2)
  await queue.close()
})

test('a file that is made is nobody else’s to read, and so is what lies beside it', async () => {
  const file = temporary()
  await openQueue(file, 'orders').createProducer().send(1)
  for (const part of ['', '-wal', '-shm', '-bell'])
    expect(statSync(file + part).mode & 0o777, part).toBe(0o600)
})

test('whoever may use a file may use what lies beside it', async () => {
  const file = temporary()
  new DatabaseSync(file).close()
  chmodSync(file, 0o662)
  await openQueue(file, 'orders').createProducer().send(1)
  for (const part of ['', '-wal', '-shm', '-bell'])
    expect(statSync(file + part).mode & 0o777, part).toBe(0o662)
})

test('a link in place of the bell leads nowhere', async () => {
  const file = temporary()
  const foreign = `${file}-foreign`
  writeFileSync(foreign, 'precious')
  symlinkSync(foreign, `${file}-bell`)
  const queue = openQueue(file, 'orders')
  await queue.createProducer().send(1)
  expect((await queue.createConsumer().receive())?.payload).toBe(1)
  // Without a timer that rings later.
  const bell = new Bell(new BellFile(file, true))
  bell.ring(1, true, { finished: 'many' })
  bell.close()
  expect(readFileSync(foreign, 'utf8')).toBe('precious')
})
