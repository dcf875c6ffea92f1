import type { GroupStart } from '../../src/storage.ts'
import type { Work } from './change.ts'
import { groupJson } from './entries.ts'
import { GROUP, placeOf } from './keys.ts'

/** How old a list may be that says that a group is there, in ms: who only sends makes one now and then. */
const KNOWN_MS = 60_000

/**
 * Makes groups that do not exist, one after the other: everything there is before them belongs to the first group of a queue in
 * any case.
 */
export async function makeGroups(
  { kv, ledger }: Work,
  tried: string,
  groups: readonly GroupStart[],
  now: number,
): Promise<void> {
  kv.require(tried, groups.filter(({ name }) => !ledger.groups.has(name)).length)
  for (const { name, from } of groups) {
    if (ledger.groups.has(name)) continue
    const key = ledger.keys.make(GROUP, now)
    const start = from === 'latest' && ledger.groups.size > 0 ? placeOf(key) : undefined
    const entry = { key, name, start }
    ledger.addGroup(entry, now)
    try {
      await kv.put(tried, ledger.prefix + key, '', groupJson(entry))
    } catch (error) {
      ledger.removeGroup(name, now)
      throw error
    }
  }
}

/** Makes groups that somebody declares who does not look at the queue otherwise. */
export async function declareGroups(work: Work, tried: string, groups: readonly GroupStart[]): Promise<void> {
  if (groups.length === 0) return
  const { kv, ledger, settings } = work
  const now = ledger.now(settings.clock)
  const areKnown = groups.every(({ name }) => ledger.groups.has(name)) && ledger.ageAt(now) < KNOWN_MS
  if (!areKnown) await ledger.load(kv, tried, now, false)
  await makeGroups(work, tried, groups, now)
}
