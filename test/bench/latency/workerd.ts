import { type Call, inWorkerd } from '../edge/open.ts'
import type { Where } from '../edge/queue-worker.ts'
import { newFolder, removeFolder } from '../folders.ts'
import { type Latency, differences, pauses, percentiles } from './figures.ts'

/** From a Worker to a Durable Object, and from there to another Worker that waits or to the handler of the object. */
export async function inObjects(count: number): Promise<Latency[] | undefined> {
  const folder = newFolder()
  try {
    return await inWorkerd(folder, async (call) => [
      percentiles(
        {
          name: 'Durable Object, a Worker waits',
          role: 'quayside',
          about: 'in workerd',
          durability: 'power cut',
          apart: true,
        },
        await toWorker(call, count),
      ),
      percentiles(
        {
          name: 'Durable Object, push mode',
          role: 'quayside',
          about: 'in workerd',
          durability: 'power cut',
          apart: true,
        },
        await toObject(call, count),
      ),
    ])
  } finally {
    removeFolder(folder)
  }
}

async function toWorker(call: Call, count: number): Promise<number[]> {
  const where: Where = { storage: 'QUEUE', queue: 'latency' }
  await call('forget', where)
  const listening = call('listen', where, { count })
  const sent = await call('send', where, { pauses: pauses(count) })
  await listening
  return differences(sent, new Map(await call('heard', where)))
}

async function toObject(call: Call, count: number): Promise<number[]> {
  const where: Where = { storage: 'PUSHED', queue: 'latency' }
  await call('forget', where)
  const sent = await call('send', where, { pauses: pauses(count) })
  for (const deadline = Date.now() + 30_000; Date.now() < deadline;) {
    const heard = await call('heard', where)
    if (heard.length === count) return differences(sent, new Map(heard))
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('an object did not hear all messages within 30 s')
}
