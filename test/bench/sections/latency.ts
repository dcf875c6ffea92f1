import { heading, plot, print, printTable, versus } from '../harness.ts'
import { inTabs } from '../latency/browser.ts'
import { type Latency, RATE } from '../latency/figures.ts'
import { onNode } from '../latency/node.ts'
import { inObjects } from '../latency/workerd.ts'
import { duration } from '../report/numbers.ts'

const COUNT = 300

const AT_EDGE =
  'A Durable Object runs in workerd, on the disk of the rest, and its clock counts whole ms; deployed, the way to the object and its replication come on top. It tells a Worker that waits of the first change at once, and of those that follow within 50 ms together; its own handler, in push mode, need not be told. Workers KV has no row: a cron run delivers, and what is sent elsewhere is seen there within minutes.'

/** From the call of `send` to the call of the handler. */
export async function latency(): Promise<void> {
  heading('latency from send to handler')
  const onNodes = await onNode(COUNT)
  const inPages = (await inTabs(COUNT)) ?? []
  const atEdge = (await inObjects(COUNT)) ?? []
  const rows = [...onNodes, ...inPages, ...atEdge]
  plot('latency', {
    kind: 'spans',
    title: 'Latency from send to handler',
    subtitle: `${RATE} messages a second at random times, the consumer idle in between. Less is better.`,
    rows,
  })
  printTable(
    ['', 'survives', 'p50', 'p90', 'p99', 'max', 'messages'],
    rows.map((row) => [
      row.about === undefined ? row.label : `${row.label}: ${row.about}`,
      row.durability,
      ...[row.p50, row.p90, row.p99, row.max].map(duration),
      String(row.count),
    ]),
  )
  print(
    'A process that polls is as late as its interval; a shorter one costs an idle machine more. workbox-background-sync has no row: it replays when the browser fires a `sync` event, seconds to minutes later.',
  )
  if (atEdge.length > 0) print(AT_EDGE)
  for (const [what, durability, apart] of [
    ['latency, memory: median', 'nothing', false],
    ['latency, survives SIGKILL: median', 'SIGKILL', false],
    ['latency, survives a power cut: median', 'power cut', false],
    ['latency, Redis: median', 'SIGKILL of its clients', false],
    ['latency, Redis, to another process: median', 'SIGKILL of its clients', true],
  ] as const) {
    compare(
      what,
      onNodes.filter((row) => row.durability === durability && row.apart === apart),
      durability === 'nothing' ? 'it calls the handler inside of the call that sends' : undefined,
    )
  }
}

/** Quayside and the best peer of those that promise the same. */
function compare(what: string, same: readonly Latency[], reason: string | undefined): void {
  const ours = same.find(({ role }) => role === 'quayside')
  const peer = same.filter(({ role }) => role === 'peer').sort((a, b) => a.p50 - b.p50)[0]
  if (!ours || !peer) return
  versus({
    what,
    unit: 'ms',
    ours: ours.p50,
    peer: peer.label,
    theirs: peer.p50,
    better: peer.p50 / ours.p50,
    reason,
  })
}
