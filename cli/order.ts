import type { Line } from './dump.ts'

/**
 * An order of sending in which each group finds messages of one key as it had them: by time, but none before the one that
 * stood before it in its key, in any group. What a group is done with, or has as a dead letter, stood before the rest.
 */
export function inOrder(lines: readonly Line[], groups: readonly string[]): Line[] {
  const before = predecessors(lines, groups)
  const ordered = new Set<Line>()
  for (const line of lines.toSorted((a, b) => a.timestamp - b.timestamp)) {
    // Not by recursion: a key may have any number of messages. Nor from the start each time: one may come after many.
    const path = [{ line, next: 0 }]
    const onPath = new Set([line])
    for (let last = path.at(-1); last !== undefined; last = path.at(-1)) {
      const one = before.get(last.line)?.[last.next++]
      if (one === undefined) {
        ordered.add(last.line)
        path.pop()
      } else if (!ordered.has(one) && !onPath.has(one)) {
        path.push({ line: one, next: 0 })
        onPath.add(one)
      }
    }
  }
  return [...ordered]
}

/** For each message those that stood right before it in its key; before the first of them, all that the group is done with. */
function predecessors(lines: readonly Line[], groups: readonly string[]): Map<Line, Line[]> {
  const byKey = new Map<string, Line[]>()
  for (const line of lines) {
    if (line.key === undefined) continue
    // A key belongs to its lane.
    const key = JSON.stringify([line.lane ?? '', line.key])
    const others = byKey.get(key)
    if (others === undefined) byKey.set(key, [line])
    else others.push(line)
  }
  const before = new Map<Line, Line[]>()
  for (const all of byKey.values()) {
    for (const group of groups) {
      const placeOf = ({ groups: standings }: Line): number | undefined => {
        const standing = Object.hasOwn(standings, group) ? standings[group] : undefined
        if (standing === undefined || standing.state === 'dead') return undefined
        // What is parked stands in another part of the list. It is the first of its key: it blocks the others.
        return standing.state === 'parked' ? -1 : (standing.place ?? 0)
      }
      const chain = all.filter((line) => placeOf(line) !== undefined)
      chain.sort((a, b) => placeOf(a)! - placeOf(b)!)
      const done = all.filter((line) => placeOf(line) === undefined)
      chain.forEach((line, i) => {
        const known = before.get(line)
        const previous = i === 0 ? done : [chain[i - 1]!]
        if (known === undefined) before.set(line, [...previous])
        else for (const one of previous) known.push(one)
      })
    }
  }
  return before
}
