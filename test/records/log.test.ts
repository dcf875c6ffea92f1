import { expect, test } from 'vitest'
import { Log } from '../../src/records/log.ts'
import { below } from './below.ts'

interface Item {
  readonly order: number
}

test.each([1, 2, 3, 4])('a log is as a sorted array, whoever comes, goes and comes back: %i', (seed) => {
  const random = below(seed)
  const log = new Log<Item>()
  const gone: Item[] = []
  const answers: boolean[] = []
  let all: Item[] = []
  let order = 0
  for (let i = 0; i < 6000; i++) {
    // It grows, shrinks to nothing, and grows again, with gaps.
    const grows = Math.floor(i / 1500) % 2 === 0
    if (random(10) < (grows ? 8 : 1)) {
      const returns = gone.length > 0 && random(5) === 0
      const item = returns
        ? gone.splice(random(gone.length), 1)[0]!
        : { order: (order += 1 + (random(9) === 0 ? random(100) : 0)) }
      log.add(item)
      all = [...all, item].sort((a, b) => a.order - b.order)
    } else if (all.length > 0) {
      const item = all.splice([0, all.length - 1, random(all.length)][random(3)]!, 1)[0]!
      answers.push(log.remove(item), !log.remove(item))
      gone.push(item)
    }
    const at = random(order + 50)
    expect([log.size, log.first, log.get(at)]).toEqual([
      all.length,
      all[0],
      all.find((item) => item.order === at),
    ])
    expect(log.after(at)).toBe(all.find((item) => item.order > at))
    if (i % 100 > 0) continue
    expect([...log.walk()]).toEqual(all)
    expect([...log.walk(at)]).toEqual(all.filter((item) => item.order > at))
  }
  expect(answers).not.toContain(false)
})

test('one of another object with the same number is not taken out', () => {
  const log = new Log<Item>()
  const item = { order: 7 }
  log.add(item)
  expect(log.remove({ order: 7 })).toBe(false)
  expect([...log.walk()]).toEqual([item])
})
