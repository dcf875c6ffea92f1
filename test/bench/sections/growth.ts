import type { Kind, Where } from '../child.ts'
import { Grown } from '../children.ts'
import { newFolder, removeFolder } from '../folders.ts'
import { type Options, amount, atMost, heading, median, print, printTable } from '../harness.ts'

const FEW = 1000

const KINDS: [string, Kind][] = [
  ['no keys, no ids', { keys: 0, ids: false }],
  ["caller's ids", { keys: 0, ids: true }],
  ['1 ordering key', { keys: 1, ids: false }],
  ['10 ordering keys', { keys: 10, ids: false }],
  ['1000 ordering keys', { keys: 1000, ids: false }],
]

/** The same work (send 100, receive 100, ack 100) on a short and on a long queue, turn by turn in two processes. */
export async function growth(options: Options): Promise<void> {
  heading(`growth: cost per message with ${amount(options.many)} waiting against ${amount(FEW)}`)
  const rows: string[][] = []
  const ratios: [string, number][] = []
  for (const storage of ['memory', 'fs'] as const) {
    for (const [name, kind] of KINDS) {
      const folders = [newFolder(), newFolder()]
      const where = (index: number): Where => ({ storage, folder: folders[index]! })
      const few = await Grown.start({ where: where(0), kind, waiting: FEW, sliceMs: options.sliceMs })
      const many = await Grown.start({
        where: where(1),
        kind,
        waiting: options.many,
        sliceMs: options.sliceMs,
      })
      const fast: number[] = []
      const slow: number[] = []
      for (let round = 0; round < options.slices; round++) {
        fast.push(await few.slice())
        slow.push(await many.slice())
      }
      await Promise.all([few.stop(), many.stop()])
      for (const folder of folders) removeFolder(folder)
      const costs = fast.map((rate, round) => rate / slow[round]!)
      rows.push([
        `${storage}: ${name}`,
        amount(median(fast)),
        amount(median(slow)),
        `${median(costs).toFixed(2)}× (${Math.min(...costs).toFixed(2)}–${Math.max(...costs).toFixed(2)})`,
      ])
      ratios.push([`${storage}, ${name}: cost`, median(costs)])
    }
  }
  printTable(['', `messages/s, ${amount(FEW)} waiting`, `${amount(options.many)} waiting`, 'cost'], rows)
  print('')
  for (const [what, value] of ratios) atMost(what, value, 1.3, '×')
}
