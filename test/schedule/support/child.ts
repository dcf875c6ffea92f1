// Fires schedules when it is told the time, with a clock of its own that is wrong, and kills itself at the call to the storage that it
// is told.
import { RedisAdapter, type RedisClient } from '../../../adapters/redis/index.ts'
import { Queue, type StorageAdapter } from '../../../src/index.ts'
import { drainSchedules } from '../../../src/schedule/index.ts'
import { connectClient } from '../../redis/support/clients.ts'

/** What it is told. */
export interface Step {
  /** Where the queue is. */
  readonly prefix: string
  /** The time on the storage's clock. */
  readonly now: number
  /** Before which call it dies. */
  readonly diesAt?: number
}

const [url, wrongByMs] = process.argv.slice(2) as [string, string]
let now = 0
let calls = 0
let diesAt = Infinity

/** What the adapter is made of: it can be given a clock in place of the server's. */
const Storage = Object.getPrototypeOf(RedisAdapter) as new (
  client: RedisClient,
  settings: object,
) => StorageAdapter
const { client } = await connectClient('redis', url)
const clock = {
  now: () => now + Number(wrongByMs),
  setTimeout: (callback: () => void, ms: number) => setTimeout(callback, ms),
  clearTimeout: (timer: unknown) => clearTimeout(timer as number),
}

function queueOf(prefix: string): Queue {
  const storage: StorageAdapter = new Storage(client, {
    prefix,
    durability: 'process',
    clock: { now: () => now },
  })
  const open = storage.open.bind(storage)
  storage.open = async (name) =>
    new Proxy(await open(name), {
      get(view, verb) {
        const value: unknown = Reflect.get(view, verb, view)
        if (typeof value !== 'function') return value
        const call = value.bind(view) as (...args: unknown[]) => unknown
        if (verb === 'close' || verb === 'watch') return call
        return async (...args: unknown[]) => {
          if (++calls >= diesAt) process.kill(process.pid, 'SIGKILL')
          const answer = await call(...args)
          // Or when it has been done, and nobody knows.
          if (calls + 0.5 >= diesAt) process.kill(process.pid, 'SIGKILL')
          return answer
        }
      },
    })
  return new Queue('jobs', { storage, clock })
}

const queues = new Map<string, Queue>()

process.on('message', (step: Step) => {
  ;({ now, diesAt = Infinity } = step)
  calls = 0
  const queue = queues.get(step.prefix) ?? queueOf(step.prefix)
  queues.set(step.prefix, queue)
  void drainSchedules(queue).then(
    () => process.send!('done'),
    (error: unknown) => process.send!(String(error)),
  )
})
process.send!('ready')
