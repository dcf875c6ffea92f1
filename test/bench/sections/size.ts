import { fileURLToPath } from 'node:url'
import { USES, bundle } from '../../../scripts/size.mjs'
import { heading, plot, print, printTable, versus } from '../harness.ts'
import type { Role } from '../report/model.ts'
import { inBytes } from '../report/numbers.ts'

interface Use {
  readonly label: string
  readonly role: Role
  readonly code: string
}

/** One of quayside's, as scripts/size.mjs has it in its budget. */
function own(label: string): Use {
  return { label, role: 'quayside', code: USES.find(({ name }) => name === label)!.code }
}

function peer(label: string, what: string, module: string): Use {
  const path = fileURLToPath(import.meta.resolve(module))
  return { label, role: 'peer', code: `export ${what} from ${JSON.stringify(path)}` }
}

/** What a user's bundle grows by, minified and compressed, dependencies included. */
export async function size(): Promise<void> {
  heading('bundle size')
  const panels = [
    await panel('kept in memory', [
      own('core + memory'),
      peer('smqp', '{ Broker }', 'smqp'),
      peer('qified', '{ Qified, MemoryTaskProvider }', 'qified'),
    ]),
    await panel('kept in IndexedDB, requests replayed by a service worker', [
      own('core + IndexedDB'),
      own('core + IndexedDB + outbox + service worker'),
      peer('workbox-background-sync', '{ Queue }', 'workbox-background-sync/Queue.js'),
    ]),
  ]
  plot('size', {
    kind: 'bars',
    title: 'Bundle size',
    subtitle: 'Minified and compressed with gzip, dependencies included; less is better.',
    panels,
  })
  printTable(
    ['', 'min + gzip'],
    panels.flatMap(({ bars }) => bars.map(({ label, text }) => [label, text])),
  )
  const [memory, browser] = panels.map(({ bars }) => ({
    ours: bars.findLast(({ role }) => role === 'quayside')!,
    peer: bars.find(({ role }) => role === 'peer')!,
  }))
  for (const [what, { ours, peer }, reason] of [
    [
      'size: memory',
      memory!,
      'it has no leases, retries, delays, consumer groups, ordering keys or dead letters',
    ],
    [
      'size: browser, with service worker',
      browser!,
      'it has no leases, groups, delays or dead letters, any answer counts as delivered, and it takes a request out of its store before it sends it',
    ],
  ] as const) {
    versus({
      what,
      unit: 'bytes',
      ours: ours.value,
      peer: peer.label,
      theirs: peer.value,
      better: peer.value / ours.value,
      reason,
    })
  }
  print('What the bytes of quayside are made of is in docs/speed.md.')
}

async function panel(title: string, uses: readonly Use[]) {
  const bars = []
  for (const { label, role, code } of uses) {
    const { gzipped } = await bundle(code)
    bars.push({ label, role, value: gzipped, text: inBytes(gzipped) })
  }
  return { title, bars: bars.sort((a, b) => a.value - b.value) }
}
