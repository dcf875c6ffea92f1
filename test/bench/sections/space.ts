import type { Where } from '../child.ts'
import { inChild } from '../children.ts'
import { newFolder, removeFolder } from '../folders.ts'
import { type Options, amount, atMost, heading, median, print } from '../harness.ts'

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
    return await work({ storage: 'fs', folder })
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
  atMost(
    'heap per message of 200 B, memory',
    await inChild<number>('heap', { where: { storage: 'memory', folder: '' }, count: options.many }),
    350,
    ' B',
  )
  atMost(
    'heap per message of 200 B, fs',
    await withFolder((where) => inChild<number>('heap', { where, count: options.many })),
    60,
    ' B',
  )
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
      400,
      ' MB',
    )
    atMost(
      `MB resident with ${amount(options.many)} × 1 KB waiting, fs, after opening`,
      opened.rss / MB,
      400,
      ' MB',
    )
    atMost('disk bytes per byte of 1 KB bodies', filled.ratio, 1.3)
  })
}
