import { causeOf } from '../inspector/causes.ts'
import type { ListedMessage } from '../src/storage.ts'
import type { Out } from './out.ts'
import { table } from './table.ts'
import { clean } from './width.ts'
import { count, duration } from './words.ts'

/** Dead letters that died of the same. */
export interface Cause {
  /** What they died of, without what differs from one to the next. */
  readonly error: string
  readonly count: number
  /** When the last one died, in ms since 1970. */
  readonly lastAt: number
  /** The id of the last one. */
  readonly example: string
}

/** The causes of dead letters, the most frequent first. */
export async function causesOf(pages: AsyncIterable<readonly ListedMessage[]>): Promise<Cause[]> {
  const causes = new Map<string, Cause>()
  for await (const letters of pages) {
    for (const letter of letters) {
      const error = causeOf(letter)
      const { count: before = 0, lastAt = 0, example = letter.id } = causes.get(error) ?? {}
      const at = letter.deadAt ?? 0
      const last = at >= lastAt ? { lastAt: at, example: letter.id } : { lastAt, example }
      causes.set(error, { error, count: before + 1, ...last })
    }
  }
  return [...causes.values()].sort((a, b) => b.count - a.count || b.lastAt - a.lastAt)
}

export async function writeCauses(causes: readonly Cause[], none: string, out: Out): Promise<void> {
  if (causes.length === 0) return await out.write(`${none}\n`)
  const now = Date.now()
  const rows = causes.map((cause) => [
    count(cause.count),
    duration(now - cause.lastAt),
    clean(cause.example),
    clean(cause.error),
  ])
  await out.write(
    table(
      [
        { title: 'LETTERS', align: 'right' },
        { title: 'LAST', align: 'right' },
        { title: 'FOR EXAMPLE', most: 40 },
        { title: 'ERROR' },
      ],
      rows,
      out.width,
    ),
  )
}
