import { Queue as WorkboxQueue } from 'workbox-background-sync/Queue.js'
import { IndexedDBAdapter } from '../../../adapters/indexeddb/index.ts'
import { Queue } from '../../../src/index.ts'
import { type Lap, fill, laps, slice } from '../laps.ts'
import { type Order, order } from '../payload.ts'

// What the browser section calls, in a service worker, the one context where workbox-background-sync runs. Each contestant
// sets up a database of its own and then does steps of some 50 ms; a step answers with how many messages it did.

type Step = () => Promise<number>

let databases = 0

function newQueue(durability: 'strict' | 'relaxed' = 'relaxed'): Queue<Order> {
  return new Queue<Order>('bench', {
    storage: new IndexedDBAdapter({ database: `bench-${++databases}`, durability }),
  })
}

function openRaw(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(`raw-${++databases}`, 1)
    request.addEventListener('upgradeneeded', () =>
      request.result.createObjectStore('rows', { autoIncrement: true }),
    )
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', () => reject(request.error!))
  })
}

function ended(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.addEventListener('complete', () => resolve())
    transaction.addEventListener('abort', () => reject(transaction.error!))
  })
}

async function times(count: number, run: (i: number) => Promise<unknown>): Promise<number> {
  for (let i = 0; i < count; i++) await run(i)
  return count
}

function request(n: number): Request {
  return new Request(`${location.origin}/orders`, { method: 'POST', body: JSON.stringify(order(n)) })
}

/** The work by name; each makes its own storage. */
const CONTESTANTS: Record<string, (durability: 'strict' | 'relaxed') => Promise<Step>> = {
  'quayside: 100 sends': async (durability) => {
    const producer = newQueue(durability).createProducer()
    return async () =>
      100 *
      (await times(10, () => Promise.all(Array.from({ length: 100 }, (_, n) => producer.send(order(n))))))
  },
  'workbox: 100 sends': async () => {
    const queue = new WorkboxQueue(`bench-${++databases}`)
    return async () => {
      await Promise.all(Array.from({ length: 100 }, (_, n) => queue.pushRequest({ request: request(n) })))
      return 100
    }
  },
  'raw: 100 puts, a transaction each': async (durability) => {
    const database = await openRaw()
    return async () => {
      await Promise.all(
        Array.from({ length: 100 }, (_, n) => {
          const transaction = database.transaction('rows', 'readwrite', { durability })
          transaction.objectStore('rows').put(order(n))
          return ended(transaction)
        }),
      )
      return 100
    }
  },
  'raw: 100 adds in one transaction': async (durability) => {
    const database = await openRaw()
    return async () =>
      100 *
      (await times(10, async () => {
        const transaction = database.transaction('rows', 'readwrite', { durability })
        for (let n = 0; n < 100; n++) transaction.objectStore('rows').add(order(n))
        transaction.commit()
        await ended(transaction)
      }))
  },
  'raw: 100 messages in one put': async (durability) => {
    const database = await openRaw()
    return async () =>
      100 *
      (await times(10, async () => {
        const transaction = database.transaction('rows', 'readwrite', { durability })
        transaction.objectStore('rows').put(Array.from({ length: 100 }, (_, n) => order(n)))
        await ended(transaction)
      }))
  },
  'quayside: send, receive, ack': async (durability) => {
    const queue = newQueue(durability)
    const producer = queue.createProducer()
    const consumer = queue.createConsumer()
    return () =>
      times(20, async (n) => {
        await producer.send(order(n))
        await (await consumer.receive())!.ack()
      })
  },
  // What a queue with leases cannot do without: an add; the cursor and the next message, the lease and the cursor; both, and neither.
  'raw: add; read, lease; read, delete': async (durability) => {
    const database = await openRaw()
    const change = (kind: 'strict' | 'relaxed'): [IDBTransaction, IDBObjectStore] => {
      const transaction = database.transaction('rows', 'readwrite', { durability: kind })
      return [transaction, transaction.objectStore('rows')]
    }
    const read = (...requests: IDBRequest[]): Promise<unknown> =>
      Promise.all(
        requests.map(
          (one) => new Promise((resolve) => one.addEventListener('success', () => resolve(one.result))),
        ),
      )
    const write = (transaction: IDBTransaction): Promise<void> => {
      transaction.commit()
      return ended(transaction)
    }
    return () =>
      times(20, async (n) => {
        const [sending, sent] = change(durability)
        const added = sent.add(order(n))
        await write(sending)
        const [claiming, rows] = change('relaxed')
        await read(rows.get('cursor'), rows.getAll(added.result, 1))
        rows.put(order(n), 'lease')
        rows.put({ at: added.result }, 'cursor')
        await write(claiming)
        const [acking, left] = change('relaxed')
        await read(left.get('cursor'), left.get('lease'))
        left.delete('lease')
        left.delete(added.result)
        left.put({ at: added.result }, 'cursor')
        await write(acking)
      })
  },
  'workbox: push, shift': async () => {
    const queue = new WorkboxQueue(`bench-${++databases}`)
    return () =>
      times(10, async (n) => {
        await queue.pushRequest({ request: request(n) })
        await queue.shiftRequest()
      })
  },
  'quayside: one send at a time': async (durability) => {
    const producer = newQueue(durability).createProducer()
    return () => times(40, (n) => producer.send(order(n)))
  },
  'workbox: one push at a time': async () => {
    const queue = new WorkboxQueue(`bench-${++databases}`)
    return () => times(20, (n) => queue.pushRequest({ request: request(n) }))
  },
  'raw: one put at a time': async (durability) => {
    const database = await openRaw()
    return () =>
      times(40, (n) => {
        const transaction = database.transaction('rows', 'readwrite', { durability })
        transaction.objectStore('rows').put(order(n))
        return ended(transaction)
      })
  },
}

/** Work on a queue with a backlog, which stays as long as it is: what is taken is sent again, outside of the clock. */
interface Kind {
  readonly waiting: number
  readonly keys: number
  readonly ids: boolean
}

/** How long a queue that was just filled is left alone, in ms. */
const REST_MS = 2000

/**
 * Claims and acks of 100 for some rounds; with ordering keys, a drain of 100 at a time, because a claim has one message of a
 * key. Answers with messages per second.
 */
async function claimAndAck({ waiting, keys, ids }: Kind, rounds: number): Promise<number> {
  const queue = newQueue()
  await fill(queue, waiting)
  const producer = queue.createProducer()
  const batch = Array.from({ length: 100 * rounds }, (_, n) => ({
    payload: order(n),
    ...(keys > 0 && { key: `key-${n % keys}` }),
    ...(ids && { id: crypto.randomUUID() }),
  }))
  for (let i = 0; i < batch.length; i += 100) await producer.sendBatch(batch.slice(i, i + 100))
  const consumer = queue.createConsumer()
  // Until the browser has put in order on the disk what came at once, which nobody's backlog does.
  await new Promise((resolve) => setTimeout(resolve, REST_MS))
  let done = 0
  const started = performance.now()
  if (keys > 0) done = (await consumer.drain(() => undefined, { concurrency: 100 })).acked
  while (done < batch.length) {
    const messages = await consumer.receiveBatch(100)
    await consumer.ackBatch(messages)
    done += messages.length
  }
  const rate = (done / (performance.now() - started)) * 1000
  await queue.close()
  return rate
}

/** Queues with a backlog that stays as long as it is, by its length. */
const grown = new Map<number, Lap>()

async function openGrown(waiting: number): Promise<void> {
  const queue = newQueue()
  await fill(queue, waiting, 100)
  grown.set(waiting, laps(queue))
}

/** Messages per second of one slice, with so many waiting. */
async function grownSlice({ waiting, ms }: { waiting: number; ms: number }): Promise<number> {
  const { done, elapsed } = await slice(grown.get(waiting)!, 100, ms)
  return (done / elapsed) * 1000
}

/** What a page and another one of the same origin share for {@link bench.listen} and {@link bench.sendAtTimes}. */
interface Shared {
  readonly database: string
  readonly durability: 'strict' | 'relaxed'
}

function openShared({ database, durability }: Shared): Queue<Order> {
  return new Queue<Order>('latency', { storage: new IndexedDBAdapter({ database, durability }) })
}

/** On the clock that all pages of a browser share, in ms. */
function clock(): number {
  return performance.timeOrigin + performance.now()
}

const heard = new Map<number, number>()

/** Sends of 100 with ids of the caller's. */
async function sendWithIds(rounds: number): Promise<number> {
  const queue = newQueue()
  const producer = queue.createProducer()
  const started = performance.now()
  for (let round = 0; round < rounds; round++) {
    await producer.sendBatch(
      Array.from({ length: 100 }, (_, n) => ({ payload: order(n), id: crypto.randomUUID() })),
    )
  }
  return ((100 * rounds) / (performance.now() - started)) * 1000
}

/** All three verbs with ids: send 100, receive, ack. */
async function cycleWithIds(rounds: number): Promise<number> {
  const queue = newQueue()
  const producer = queue.createProducer()
  const consumer = queue.createConsumer()
  await consumer.join()
  const started = performance.now()
  for (let round = 0; round < rounds; round++) {
    await producer.sendBatch(
      Array.from({ length: 100 }, (_, n) => ({ payload: order(n), id: crypto.randomUUID() })),
    )
    await consumer.ackBatch(await consumer.receiveBatch(100))
  }
  return ((100 * rounds) / (performance.now() - started)) * 1000
}

let step: Step

const bench = {
  setup: async ({ name, durability }: { name: string; durability: 'strict' | 'relaxed' }): Promise<void> => {
    step = await CONTESTANTS[name]!(durability)
  },
  step: (): Promise<number> => step(),
  claimAndAck: ({ kind, rounds }: { kind: Kind; rounds: number }): Promise<number> =>
    claimAndAck(kind, rounds),
  sendWithIds,
  cycleWithIds,
  openGrown,
  grownSlice,
  /** Steps of one batch of this size: send, receive, ack. */
  async setupBatch({ size, durability }: { size: number; durability: 'strict' | 'relaxed' }): Promise<void> {
    const lap = laps(newQueue(durability))
    step = async () => {
      await lap(size)
      return size
    }
  },
  /** Handles what comes, until the page is closed, and notes when. */
  async listen(shared: Shared): Promise<void> {
    const consumer = openShared(shared).createConsumer()
    await consumer.join()
    void consumer.run(({ payload }) => void heard.set(payload.order, clock()), { concurrency: 100 })
  },
  heard: (): [number, number][] => [...heard],
  /** Sends messages one by one after pauses of so many ms, and answers with when it called `send`. */
  async sendAtTimes({ shared, pauses }: { shared: Shared; pauses: number[] }): Promise<number[]> {
    const producer = openShared(shared).createProducer()
    const sent: number[] = []
    const sends: Promise<unknown>[] = []
    for (const [n, pause] of pauses.entries()) {
      await new Promise((resolve) => setTimeout(resolve, pause))
      sent.push(clock())
      sends.push(producer.send(order(n)))
    }
    await Promise.all(sends)
    return sent
  },
  /** Fills a queue for {@link bench.firstClaim}, which another start of the browser calls. */
  async fillForLater(count: number): Promise<void> {
    const queue = new Queue<Order>('cold', { storage: new IndexedDBAdapter({ database: 'cold' }) })
    await fill(queue, count)
    await queue.close()
  },
  /** In ms, from nothing to the first messages. */
  async firstClaim(): Promise<number> {
    const started = performance.now()
    const queue = new Queue<Order>('cold', { storage: new IndexedDBAdapter({ database: 'cold' }) })
    const messages = await queue.createConsumer().receiveBatch(100)
    const ms = performance.now() - started
    if (messages.length !== 100) throw new Error(`${messages.length} messages`)
    await queue.close()
    return ms
  },
}

export type Bench = typeof bench
Object.assign(globalThis, { bench })
