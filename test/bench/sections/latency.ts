import type { Page } from 'playwright-core'
import { inChromium } from '../browser/open.ts'
import type { Bench } from '../browser/worker.ts'
import { newFolder, removeFolder } from '../folders.ts'
import { heading, plot, print, printTable, progress, versus } from '../harness.ts'
import { order, read } from '../payload.ts'
import { PUSHERS, type Pusher } from '../peers/push.ts'
import type { Role } from '../report/model.ts'
import { duration } from '../report/numbers.ts'
import { available } from '../subjects.ts'

declare const bench: Bench

/** Messages per second, at random times: few enough that nobody has a backlog. */
const RATE = 100

interface Latency {
  readonly label: string
  readonly role: Role
  readonly about?: string | undefined
  readonly durability: Pusher['durability']
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

/** From the call of `send` to the call of the handler. */
export async function latency(): Promise<void> {
  heading('latency from send to handler')
  const count = 300
  const rows: Latency[] = []
  for (const pusher of available(PUSHERS)) {
    progress(`latency: ${pusher.name}`)
    const all = await onNode(pusher, count)
    rows.push(percentiles(pusher, all))
  }
  progress('')
  const inPages = (await inBrowser(count)) ?? []
  plot('latency', {
    kind: 'spans',
    title: 'Latency from send to handler',
    subtitle: `${RATE} messages a second at random times, the consumer idle in between. Less is better.`,
    rows: [...rows, ...inPages],
  })
  printTable(
    ['', 'survives', 'p50', 'p90', 'p99', 'max', 'messages'],
    [...rows, ...inPages].map((row) => [
      row.about === undefined ? row.label : `${row.label}: ${row.about}`,
      row.durability,
      ...[row.p50, row.p90, row.p99, row.max].map(duration),
      String(row.count),
    ]),
  )
  print(
    'A process that polls is as late as its interval; a shorter one costs an idle machine more. workbox-background-sync has no row: it replays when the browser fires a `sync` event, seconds to minutes later.',
  )
  for (const [what, durability] of [
    ['latency, memory: median', 'nothing'],
    ['latency, survives SIGKILL: median', 'SIGKILL'],
    ['latency, survives a power cut: median', 'power cut'],
    ['latency, Redis: median', 'SIGKILL of its clients'],
  ] as const) {
    const same = rows.filter((row) => row.durability === durability)
    const ours = same.find(({ role }) => role === 'quayside')
    const peer = same.filter(({ role }) => role === 'peer').sort((a, b) => a.p50 - b.p50)[0]
    if (!ours || !peer) continue
    versus({
      what,
      unit: 'ms',
      ours: ours.p50,
      peer: peer.label,
      theirs: peer.p50,
      better: peer.p50 / ours.p50,
      reason: durability === 'nothing' ? 'it calls the handler inside of the call that sends' : undefined,
    })
  }
}

async function onNode({ open }: Pusher, count: number): Promise<number[]> {
  const folder = newFolder()
  const sent: number[] = []
  const latencies: number[] = []
  let finish = () => {}
  const pushing = await open(folder, (payload) => {
    latencies.push(performance.now() - sent[payload.order]!)
    read(payload)
    if (latencies.length === count) finish()
  })
  const all = new Promise<void>((resolve) => (finish = resolve))
  const sends: unknown[] = []
  for (const [n, pause] of pauses(count).entries()) {
    await new Promise((resolve) => setTimeout(resolve, pause))
    const payload = order(n)
    sent.push(performance.now())
    sends.push(pushing.send(payload))
  }
  await Promise.all(sends)
  await all
  await pushing.close()
  removeFolder(folder)
  return latencies
}

/** Between messages of a Poisson process, in ms. */
function pauses(count: number): number[] {
  return Array.from({ length: count }, () => (-Math.log(1 - Math.random()) * 1000) / RATE)
}

/** The first tenth warms up and does not count. */
function percentiles(
  { name, role, about, durability }: Omit<Pusher, 'open'>,
  latencies: readonly number[],
): Latency {
  const sorted = latencies.slice(latencies.length / 10).sort((a, b) => a - b)
  const at = (share: number) => Math.max(sorted[Math.ceil(share * sorted.length) - 1]!, 0.001)
  return {
    label: name,
    role,
    about,
    durability,
    count: sorted.length,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    max: at(1),
  }
}

async function inBrowser(count: number): Promise<Latency[] | undefined> {
  return await inChromium(async (open) => {
    const rows: Latency[] = []
    for (const durability of ['relaxed', 'strict'] as const) {
      for (const place of ['same tab', 'another tab'] as const) {
        const name = `IndexedDB, ${place}, ${durability}`
        const shared = { database: name, durability }
        const sender = await open()
        const listener = place === 'same tab' ? sender : await open()
        await listener.evaluate((shared) => bench.listen(shared), shared)
        const sent = await sender.evaluate((what) => bench.sendAtTimes(what), {
          shared,
          pauses: pauses(count),
        })
        const heard = await allHeard(listener, count)
        rows.push(
          percentiles(
            { name, role: 'quayside', durability: durability === 'strict' ? 'power cut' : 'SIGKILL' },
            sent.map((at, n) => heard.get(n)! - at),
          ),
        )
        await sender.close()
        if (listener !== sender) await listener.close()
      }
    }
    return rows
  })
}

async function allHeard(listener: Page, count: number): Promise<Map<number, number>> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline;) {
    const heard = await listener.evaluate(() => bench.heard())
    if (heard.length >= count) return new Map(heard)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('a tab did not hear all messages within 30 s')
}
