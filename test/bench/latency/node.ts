import { startRedis } from '../../../demo/redis/server.ts'
import { Listener } from '../children.ts'
import { newFolder, removeFolder } from '../folders.ts'
import { monotonic } from '../monotonic.ts'
import { order, read } from '../payload.ts'
import { APART, type Apart } from '../peers/apart.ts'
import { PUSHERS, type Pusher, type Pushing } from '../peers/push.ts'
import { progress } from '../harness.ts'
import { available } from '../subjects.ts'
import { type Latency, differences, pauses, percentiles } from './figures.ts'

/** In Node: in one process, then from one to another where a server is between them. */
export async function onNode(count: number): Promise<Latency[]> {
  const rows: Latency[] = []
  for (const pusher of available(PUSHERS)) {
    progress(`latency: ${pusher.name}`)
    rows.push(percentiles(pusher, await inOneProcess(pusher, count)))
  }
  for (const apart of available(APART)) {
    progress(`latency: ${apart.name}`)
    rows.push(percentiles(apart, await inTwoProcesses(apart, count)))
  }
  progress('')
  return rows
}

async function inOneProcess({ open }: Pusher, count: number): Promise<number[]> {
  const folder = newFolder()
  const heard = new Map<number, number>()
  let finish = () => {}
  const all = new Promise<void>((resolve) => (finish = resolve))
  const pushing = await open(folder, (payload) => {
    if (!heard.has(payload.order)) heard.set(payload.order, monotonic())
    read(payload)
    if (heard.size === count) finish()
  })
  const sent = await sendAtTimes(pushing, count)
  await all
  await pushing.close()
  removeFolder(folder)
  return differences(sent, heard)
}

async function inTwoProcesses({ name, connect }: Apart, count: number): Promise<number[]> {
  const server = await startRedis()
  const listener = await Listener.start({ name, port: server.port, count })
  const pushing = await connect(server.port)
  const sent = await sendAtTimes(pushing, count)
  const heard = await listener.heard
  await pushing.close()
  await listener.stop()
  await server.stop()
  return differences(sent, heard)
}

/** Answers with when it called `send`. */
async function sendAtTimes(pushing: Pushing, count: number): Promise<number[]> {
  const sent: number[] = []
  const sends: unknown[] = []
  for (const [n, pause] of pauses(count).entries()) {
    await new Promise((resolve) => setTimeout(resolve, pause))
    const payload = order(n)
    sent.push(monotonic())
    sends.push(pushing.send(payload))
  }
  await Promise.all(sends)
  return sent
}
