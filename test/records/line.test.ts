import { expect, test } from 'vitest'
import { below } from './below.ts'
import { type Standing, Line, byOrder, byOrderAndTie } from '../../src/records/line.ts'

interface Place {
  readonly order: number
  readonly tie: number
}

type Item = Place & Standing

test.each([1, 2, 3, 4])('a line is as a sorted array, whoever comes and goes: %i', (seed) => {
  const random = below(seed)
  const line = new Line<Place, Item>(byOrderAndTie)
  const answers: boolean[] = []
  let all: Item[] = []
  for (let i = 0; i < 12_000; i++) {
    // It grows, shrinks to nothing, and grows again.
    const grows = Math.floor(i / 3000) % 2 === 0
    if (random(10) < (grows ? 8 : 2)) {
      const order = random(3) === 0 ? random(1000) : 1000 + i
      const item: Item = { order, tie: i, among: undefined }
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
  const line = new Line<Pick<Place, 'order'>, Item>(byOrder)
  const waiting: Item[] = []
  const answers: boolean[] = []
  for (let order = 1; order <= 10_000; order++) {
    const item: Item = { order, tie: 0, among: undefined }
    line.add(item)
    waiting.push(item)
    if (waiting.length > 700) answers.push(line.remove(waiting.shift()!))
  }
  for (const item of waiting) answers.push(line.remove(item))
  expect(answers).toHaveLength(10_000)
  expect(answers).not.toContain(false)
  expect([line.size, line.first, [...line.walk()]]).toEqual([0, undefined, []])
})

test('who goes is not looked for, however many stand in the line', () => {
  let compared = 0
  const line = new Line<Place, Item>((a, b) => {
    compared++
    return byOrderAndTie(a, b)
  })
  const items = Array.from({ length: 100_000 }, (_, tie): Item => ({ order: 1, tie, among: undefined }))
  for (const item of items) line.add(item)
  expect(compared).toBe(items.length - 1)
  const random = below(7)
  const going = items.filter(() => random(2) === 0)
  compared = 0
  // In an order of their own, and never the last of a stretch.
  for (const item of going.toSorted((a, b) => (a.tie % 97) - (b.tie % 97))) line.remove(item)
  expect(compared).toBe(0)
  const gone = new Set(going)
  expect([...line.walk()].map(({ tie }) => tie)).toEqual(
    items.filter((item) => !gone.has(item)).map(({ tie }) => tie),
  )
})

test('who stands in one line is not taken out of another', () => {
  const [one, other] = [new Line<Place, Item>(byOrderAndTie), new Line<Place, Item>(byOrderAndTie)]
  const [first, second, third] = [1, 2, 3].map((order): Item => ({ order, tie: 0, among: undefined }))
  for (const item of [first!, second!]) one.add(item)
  other.add(third!)
  expect(other.remove(second!)).toBe(false)
  expect([[...one.walk()], [...other.walk()]]).toEqual([[first, second], [third]])
})
