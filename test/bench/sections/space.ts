import type { Where } from '../child.ts'
import { inChild } from '../children.ts'
import { newFolder, removeFolder } from '../folders.ts'
import { type Options, amount, atMost, heading, median, plot, print, printTable, versus } from '../harness.ts'
import { inBytes } from '../report/numbers.ts'
import { type SubjectName, subject } from '../subjects.ts'

const MB = 1e6

interface Filled {
  /** Bytes on the disk for each byte of a body. */
  ratio: number
  rss: number
  peak: number
}

interface Opened {
  ms: number
  rss: number
}

async function withFolder<R>(work: (where: Where) => Promise<R>): Promise<R> {
  const folder = newFolder()
  try {
    return await work({ folder })
  } finally {
    removeFolder(folder)
  }
}

export async function recovery(options: Options): Promise<void> {
  heading(
    `recovery: ${amount(options.many)} waiting messages of 200 B, sent in batches of 100, until the first is in hand`,
  )
  for (const killed of [false, true]) {
    const times = await withFolder(async (where) => {
      await inChild<Filled>('fill', { where, count: options.many, large: false, killed })
      const ms: number[] = []
      for (let i = 0; i < Math.min(options.slices, 5); i++) {
        ms.push((await inChild<Opened>('open', { where, killed })).ms)
      }
      return ms
    })
    print(`- after ${killed ? 'SIGKILL' : 'close'}: ${times.map((ms) => ms.toFixed(0)).join(', ')} ms`)
    atMost(killed ? 'ms after SIGKILL' : 'ms after close', median(times), 1500, ' ms')
  }
}

export async function space(options: Options): Promise<void> {
  heading('space: bytes per waiting message')
  await heaps(options)
  await withFolder(async (where) => {
    const { ratio } = await inChild<Filled>('fill', {
      where,
      count: options.many,
      large: false,
      killed: false,
    })
    atMost('disk bytes per byte of 200 B bodies', ratio, 1.3)
  })
  await withFolder(async (where) => {
    const filled = await inChild<Filled>('fill', { where, count: options.many, large: true, killed: false })
    const opened = await inChild<Opened>('open', { where, killed: false })
    print(`- ${amount(options.many)} × 1 KB on fs: peak while sending ${(filled.peak / MB).toFixed(0)} MB`)
    atMost(
      `MB resident with ${amount(options.many)} × 1 KB waiting, fs, after sending`,
      filled.rss / MB,
      300,
      ' MB',
    )
    atMost(
      `MB resident with ${amount(options.many)} × 1 KB waiting, fs, after opening`,
      opened.rss / MB,
      300,
      ' MB',
    )
    atMost('disk bytes per byte of 1 KB bodies', filled.ratio, 1.3)
  })
}

/** Where messages wait in the memory of the process. */
const IN_MEMORY = ['memory', 'smqp', 'qified', '@platformatic/job-queue', 'fastq'] as const
const ON_DISK = ['fs, os', 'node:sqlite, FULL', 'plainjob'] as const

async function heaps({ many }: Options): Promise<void> {
  const bytes = new Map<SubjectName, number>()
  for (const name of [...IN_MEMORY, ...ON_DISK]) {
    // Peers' figures need no million.
    const count = subject(name).role === 'quayside' ? many : Math.min(many, 200_000)
    bytes.set(name, await withFolder(({ folder }) => inChild<number>('heap', { name, folder, count })))
  }
  const panel = (title: string, names: readonly SubjectName[]) => ({
    title,
    bars: names
      .map((name) => ({ name, value: Math.max(bytes.get(name)!, 0) }))
      .sort((a, b) => a.value - b.value)
      .map(({ name, value }) => ({ label: name, role: subject(name).role, value, text: inBytes(value) })),
  })
  plot('heap', {
    kind: 'bars',
    title: 'Heap for each message that waits',
    subtitle: 'Bytes for a message of 200 bytes of JSON, its body included; less is better.',
    panels: [panel('kept in memory', IN_MEMORY), panel('kept on the disk', ON_DISK)],
  })
  printTable(
    ['heap for a waiting message of 200 B', 'bytes'],
    [...bytes].map(([name, value]) => [name, inBytes(Math.max(value, 0))]),
  )
  const memory = bytes.get('memory')!
  const peers = IN_MEMORY.filter((name) => subject(name).role === 'peer')
  const best = peers.toSorted((a, b) => bytes.get(a)! - bytes.get(b)!)[0]!
  versus({
    what: 'memory: heap of a waiting message',
    unit: 'bytes',
    ours: memory,
    peer: best,
    theirs: bytes.get(best)!,
    better: bytes.get(best)! / memory,
  })
  atMost('heap per message of 200 B, memory', memory, 350, ' B')
  atMost('heap per message of 200 B, fs', bytes.get('fs, os')!, 60, ' B')
}
