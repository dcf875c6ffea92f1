import type { CaseClock } from '../../../conformance/clock.ts'
import { Queue } from '../../../src/core/index.ts'
import type { StorageAdapter } from '../../../src/storage.ts'
import { defineMessages, version } from '../../../src/typed/index.ts'

/** What became of the messages of a rolling restart. */
export interface Deploys {
  readonly sent: number
  /** What handlers got, and which release's. */
  readonly seen: readonly string[]
  readonly dead: number
  readonly left: number
}

const greeting = version<{ readonly name: string }>()
/** What two releases know. */
const older = defineMessages({ greeting, farewell: version<string>() })
const newer = defineMessages({
  greeting: greeting.then(undefined, ({ name }) => ({ name, language: 'en' })),
  reminder: version<number>(),
})

/** Two releases side by side, each of which reads what the other wrote, until the older one is gone. */
export async function deploy(storage: StorageAdapter, clock: CaseClock): Promise<Deploys> {
  const own = {
    now: () => clock.now(),
    setTimeout: (callback: () => void, ms: number) => setTimeout(callback, ms),
    clearTimeout: (timer: unknown) => clearTimeout(timer as ReturnType<typeof setTimeout>),
  }
  const queues = [0, 1].map(() => new Queue('kinds', { storage, clock: own })) as [Queue, Queue]
  const seen: string[] = []
  const see =
    (release: string) =>
    (payload: unknown): void =>
      void seen.push(`${release}: ${JSON.stringify(payload)}`)
  const old = older.handlers({ greeting: see('older'), farewell: see('older') })
  const next = newer.handlers({ greeting: see('newer'), reminder: see('newer') })
  const [first, second] = queues.map((queue) => queue.createConsumer()) as [
    ReturnType<Queue['createConsumer']>,
    ReturnType<Queue['createConsumer']>,
  ]
  let sent = 0
  for (let round = 0; round < 4; round++) {
    await older.producer(queues[0]).send('greeting', { name: `old ${round}` })
    await newer.producer(queues[1]).send('greeting', { name: `new ${round}`, language: 'fr' })
    await newer.producer(queues[1]).send('reminder', round)
    await older.producer(queues[0]).send('farewell', `bye ${round}`)
    sent += 4
    // Now the one is quicker, now the other.
    if (round % 2 === 0) await first.drain(old)
    await second.drain(next)
    await first.drain(old)
    await clock.advance(120_000)
  }
  // What only the older one knew waits for it, or for a person.
  const resume = async (code: typeof older | typeof newer, queue: Queue): Promise<void> => {
    if (storage.guarantees.parking ?? true) await code.resume(queue)
  }
  await resume(older, queues[0])
  await first.drain(old)
  await clock.advance(120_000)
  await resume(newer, queues[1])
  await second.drain(next)
  await clock.advance(120_000)
  await resume(older, queues[0])
  await first.drain(old)
  const { groups, messages } = await queues[0].stats()
  await Promise.all(queues.map((queue) => queue.close()))
  return { sent, seen: seen.sort(), dead: groups['default']!.dead, left: messages }
}
