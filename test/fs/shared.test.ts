import { execFileSync } from 'node:child_process'
import { readdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { type FsEvent, type FsOptions, NodeFsAdapter } from '../../adapters/fs/index.ts'
import { shareJournal } from '../../adapters/fs/shared.ts'
import { openJournalStore } from '../../adapters/fs/store.ts'
import { Queue } from '../../src/index.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { expectCode } from '../support/set-up.ts'
import { temporaryDirectory } from './temporary.ts'

function open(directory: string, options: FsOptions = {}, name = 'mails'): Queue<string> {
  const queue = new Queue<string>(name, {
    storage: new NodeFsAdapter(directory, { waitForLockMs: 0, ...options }),
  })
  // One that has failed says so once more.
  onTestFinished(() => queue.close().catch(() => undefined))
  return queue
}

const locksIn = (directory: string): string[] =>
  readdirSync(directory).filter((name) => name.startsWith('lock-'))

test('adapters of one program share a directory, and wake each other', async () => {
  const directory = temporaryDirectory()
  const [ours, theirs] = [open(directory), open(directory)]
  const waiting = ours.createConsumer().receive({ waitMs: 20_000 })
  await theirs.createProducer().send('hello')
  const message = await waiting
  expect(message!.payload).toBe('hello')
  // One lease, and nobody gave it up.
  expect((await theirs.stats()).groups['default']).toMatchObject({ ready: 0, leased: 1 })
  expect(await theirs.createConsumer().receive()).toBeUndefined()
  await message!.ack()
  expect((await theirs.stats()).groups['default']).toMatchObject({ leased: 0, acked: 1 })
  expect(locksIn(directory)).toHaveLength(1)
})

test('a directory is one, whatever it is called', async () => {
  const directory = temporaryDirectory()
  const link = join(temporaryDirectory(), 'link')
  symlinkSync(directory, link)
  const queues = [directory, link, `${link}/.`, join(directory, '..', directory.split('/').at(-1)!)].map(
    (path) => open(path),
  )
  for (const queue of queues) await queue.createProducer().send('hello')
  for (const queue of queues) expect((await queue.stats()).messages).toBe(4)
  expect(locksIn(directory)).toHaveLength(1)
})

test('of many that come at once for a directory that is not there, all get it', async () => {
  const directory = join(temporaryDirectory(), 'a', 'b')
  const queues = Array.from({ length: 20 }, () => open(directory))
  await Promise.all(queues.map((queue) => queue.createProducer().send('hello')))
  expect((await queues[0]!.stats()).messages).toBe(20)
})

test('it is closed with the last of them, whose verbs are done by then, and can be opened again', async () => {
  const directory = temporaryDirectory()
  const stores = [await shareJournal(directory), await shareJournal(directory)] as const
  const [first, second] = [await stores[0].open('q'), await stores[1].open('q')]
  const writing = first.transact('append', (tx) => tx.put('log', 1, 'one'))
  let isWritten = false
  void writing.then(() => (isWritten = true))
  await stores[0].close()
  expect(isWritten).toBe(true)
  await stores[0].close()
  await expectCode(
    first.transact('read', () => 0),
    'CLOSED',
  )
  await expectCode(stores[0].open('q'), 'CLOSED')
  expect(await second.transact('read', (tx) => tx.get('log', 1))).toBe('one')
  expect(locksIn(directory)).toHaveLength(1)
  const closing = stores[1].close()
  // Who comes meanwhile waits for that.
  const third = await shareJournal(directory, { waitForLockMs: 0 })
  await closing
  expect((await third.open('q')).soleOwner).toBe(true)
  await third.close()
  expect(locksIn(directory)).toHaveLength(0)
})

test('a listener of one that has closed is not called any more', async () => {
  const directory = temporaryDirectory()
  const stores = [await shareJournal(directory), await shareJournal(directory)] as const
  let calls = 0
  ;(await stores[0].open('q')).watch!(() => calls++)
  const queue = await stores[1].open('q')
  await queue.transact('append', (tx) => tx.put('log', 1, 1))
  expect(calls).toBe(1)
  await stores[0].close()
  await queue.transact('append', (tx) => tx.put('log', 2, 2))
  expect(calls).toBe(1)
  await stores[1].close()
})

test('leases are given up by the first who opens a queue, and by nobody who joins', async () => {
  const directory = temporaryDirectory()
  // Keeps the directory open all the time.
  await open(directory, {}, 'other').stats()
  const first = open(directory)
  await first.createProducer().send('hello')
  await first.createConsumer().receive()
  const second = open(directory)
  expect((await second.stats()).groups['default']).toMatchObject({ leased: 1 })
  await Promise.all([first.close(), second.close()])
  expect((await open(directory).stats()).groups['default']).toMatchObject({ ready: 1, leased: 0 })
})

test('who wants other promises is refused, with what to do', async () => {
  const directory = temporaryDirectory()
  await open(directory).stats()
  const clock = new ManualClock()
  for (const [options, text] of [
    [{ durability: 'os' }, 'durability "fsync", not "os"'],
    [{ strictAcks: true }, 'strictAcks false, not true'],
    [{ mode: 0o640 }, 'mode 0o600, not 0o640'],
    [{ clock }, 'another clock'],
  ] as const satisfies [FsOptions, string][]) {
    await expectCode(
      open(directory, options).stats(),
      'INVALID_ARGUMENT',
      directory,
      text,
      'the same durability',
    )
  }
  // These are nobody's promise.
  await open(directory, { cacheBytes: 0, mode: 0o600, waitForLockMs: 5, durability: 'fsync' }).stats()
})

test('events are told to all', async () => {
  const directory = temporaryDirectory()
  const told: FsEvent[] = []
  const onEvent = (event: FsEvent): void => void told.push(event)
  const stores = await Promise.all([
    shareJournal(directory, { onEvent }),
    shareJournal(directory, { onEvent }),
  ])
  for (const store of stores) await store.close()
  expect(told).toEqual([])
})

test('a journal that has failed is opened anew by who comes next, while others still have it', async () => {
  const directory = temporaryDirectory()
  const first = open(directory)
  await first.createProducer().send('hello')
  for (const name of locksIn(directory)) rmSync(join(directory, name))
  // As after a takeover that is over.
  const second = open(directory)
  await second.createProducer().send('again')
  expect((await second.stats()).messages).toBe(2)
  await expectCode(first.createProducer().send('lost'), 'STORAGE_FAILED', 'taken over')
  await first.close()
  expect((await second.stats()).messages).toBe(2)
})

test('who opens a journal again that failed under it still has what it took', async () => {
  const directory = temporaryDirectory()
  const queue = open(directory)
  await queue.createProducer().sendBatch([{ payload: 'one' }, { payload: 'two' }])
  const consumer = queue.createConsumer()
  const message = await consumer.receive()
  for (const name of locksIn(directory)) rmSync(join(directory, name))
  await expectCode(queue.createProducer().send('lost'), 'STORAGE_FAILED', 'taken over')
  // What was being sent may have been stored.
  const others = await consumer.receiveBatch(10)
  expect(others.map(({ payload }) => payload).slice(0, 1)).toEqual(['two'])
  expect(others.map(({ attempt }) => attempt)).toEqual(others.map(() => 1))
  await message!.ack()
  await queue.close()
  // Another opening is one after an end, and nobody has anything.
  expect((await open(directory).stats()).groups['default']).toMatchObject({
    acked: 1,
    ready: others.length,
    leased: 0,
  })
})

test('a directory that was removed and made again is another one', async () => {
  const directory = temporaryDirectory()
  await open(directory).createProducer().send('hello')
  rmSync(directory, { recursive: true })
  const after = open(directory)
  await after.createProducer().send('again')
  expect((await after.stats()).messages).toBe(1)
})

test('who joins an opening that was locked waits as long as it wants itself', async () => {
  const directory = temporaryDirectory()
  const owner = await openJournalStore(directory)
  const impatient = open(directory)
    .stats()
    .catch((error: unknown) => error)
  const patient = open(directory, { waitForLockMs: 60_000 }).stats()
  expect(await impatient).toMatchObject({ code: 'LOCKED' })
  await owner.close()
  expect((await patient).messages).toBe(0)
})

test('layers of one program, each with a copy of the package, share a directory', async () => {
  const child = fileURLToPath(new URL('layers-child.ts', import.meta.url))
  const said = execFileSync(process.execPath, [child, temporaryDirectory()], { encoding: 'utf8' })
  expect(JSON.parse(said)).toEqual({
    areCopies: true,
    received: 'hello',
    leased: 1,
    other: 'INVALID_ARGUMENT',
    isKnown: true,
    left: 'again',
  })
})
