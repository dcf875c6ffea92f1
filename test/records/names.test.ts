import { expect, test } from 'vitest'
import { Names } from '../../src/records/names.ts'
import { below } from './below.ts'

test.each([1, 2])('names are as a map, whether they are few or many: %i', (seed) => {
  const random = below(seed)
  const [names, map] = [new Names<number>(), new Map<string, number>()]
  const found: boolean[] = []
  for (let i = 0; i < 200_000; i++) {
    // There come to be some 30,000, twice, and none in between.
    const grows = Math.floor(i / 50_000) % 2 === 0
    const name = `name-${random(40_000)}`
    found.push(names.get(name) === map.get(name), names.has(name) === map.has(name))
    if (random(20) < (grows ? 19 : 1)) {
      names.set(name, i)
      map.set(name, i)
    } else {
      names.delete(name)
      map.delete(name)
    }
    found.push(names.size === map.size)
    if (i % 50_000 > 0) continue
    expect(new Map(names.entries())).toEqual(map)
    for (const one of grows ? map.keys() : []) names.delete(one)
    if (grows) map.clear()
  }
  expect(found).not.toContain(false)
})
