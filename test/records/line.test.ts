import { expect, test } from 'vitest'
import { Line, byOrder, byOrderAndTie } from '../../src/records/line.ts'

interface Item {
  readonly order: number
  readonly tie: number
}

/** Numbers that are the same in each run. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

test.each([1, 2, 3, 4])('a line is as a sorted array, whoever comes and goes: %i', (seed) => {
  const random = randomFrom(seed)
  const line = new Line<Item>(byOrderAndTie)
  const answers: boolean[] = []
  let all: Item[] = []
  for (let i = 0; i < 12_000; i++) {
    // It grows, shrinks to nothing, and grows again.
    const grows = Math.floor(i / 3000) % 2 === 0
    if (random(10) < (grows ? 8 : 2)) {
      const order = random(3) === 0 ? random(1000) : 1000 + i
      const item = { order, tie: i }
      line.add(item)
      all.push(item)
    } else if (all.length > 0) {
      all.sort(byOrderAndTie)
      const at = [0, all.length - 1, random(all.length)][random(3)]!
      answers.push(line.remove(all[at]!), !line.remove(all[at]!))
      all = all.toSpliced(at, 1)
    }
    if (i % 500 > 0) continue
    all.sort(byOrderAndTie)
    expect([line.size, line.first]).toEqual([all.length, all[0]])
    expect([...line.walk()]).toEqual(all)
    const place = all[random(Math.max(1, all.length))] ?? { order: 5, tie: 5 }
    expect([...line.walk(place)]).toEqual(all.filter((item) => byOrderAndTie(item, place) > 0))
    expect(line.countBefore(place)).toBe(all.filter((item) => byOrderAndTie(item, place) < 0).length)
    expect(line.get(place)).toBe(all.find((item) => byOrderAndTie(item, place) === 0))
    expect(line.get({ order: place.order, tie: -1 })).toBeUndefined()
    expect(line.after(place)).toBe(all.find((item) => byOrderAndTie(item, place) > 0))
  }
  expect(answers).not.toContain(false)
})

test('those that come at the end and go from the front leave nothing behind', () => {
  const line = new Line<{ readonly order: number }>(byOrder)
  const waiting: { readonly order: number }[] = []
  const answers: boolean[] = []
  for (let order = 1; order <= 10_000; order++) {
    const item = { order }
    line.add(item)
    waiting.push(item)
    if (waiting.length > 700) answers.push(line.remove(waiting.shift()!))
  }
  for (const item of waiting) answers.push(line.remove(item))
  expect(answers).toHaveLength(10_000)
  expect(answers).not.toContain(false)
  expect([line.size, line.first, [...line.walk()]]).toEqual([0, undefined, []])
})
