import { durableObjects } from '../edge/durable-object.ts'
import { kv } from '../edge/kv.ts'
import { atMost, heading, print } from '../harness.ts'

/** What `npm run bench:edge` counts in workerd; that command writes it into the pages of the storages too. */
export async function edge(): Promise<void> {
  for (const [title, run] of [
    ['Workers KV: dollars for a million messages', kv],
    ['Durable Objects: rows, dollars and speed', durableObjects],
  ] as const) {
    heading(title)
    const { table, checks } = await run()
    print(table.join('\n'))
    for (const { name, value, most } of checks) atMost(name, value, most)
  }
}
