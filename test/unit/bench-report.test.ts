import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { drawBars } from '../bench/report/bars.ts'
import { PAGE, merge, readResults } from '../bench/report/files.ts'
import { drawLines } from '../bench/report/lines.ts'
import { markdown } from '../bench/report/markdown.ts'
import type { Block, Result, Results, Role, Section } from '../bench/report/model.ts'
import { comparisons, standing } from '../bench/report/overview.ts'
import { render, summary } from '../bench/report/render.ts'
import { partOf } from '../support/pages.ts'
import { ROOT } from '../support/sources.ts'

const entry = (name: string, role: Role, ...rates: number[]): Result => ({ name, role, rates })

function section(name: string, ...blocks: Block[]): Section {
  return { name, title: `Title of ${name}`, parts: [{ title: `a race in ${name}`, blocks }] }
}

const RACE: Block = {
  kind: 'rates',
  results: [
    entry('quayside', 'quayside', 100, 200, 300),
    entry('slow', 'peer', 10, 10, 10),
    entry('quick', 'peer', 400, 400, 400),
    entry('function call', 'other', 900, 900, 900),
    entry('raw', 'limit', 800, 800, 800),
  ],
  reasons: { quick: 'it forgets', slow: 'never shown' },
}

test('a comparison is with the fastest peer, by slices of the same round', () => {
  const [versus, ...others] = comparisons({ sections: [section('one', RACE)] })
  expect(others).toEqual([])
  expect(versus).toMatchObject({ peer: 'quick', ours: 200, theirs: 400, better: 0.5, reason: 'it forgets' })
  expect(standing(versus!)).toBe('behind')
  expect(standing({ ...versus!, better: 1.4 })).toBe('level')
  expect(standing({ ...versus!, better: 1.6 })).toBe('ahead')
})

test('the report says where a peer is faster, and why', () => {
  const results: Results = { sections: [section('one', RACE)] }
  const page = render(results).get('RESULTS.md')!
  expect(page).toContain('Ahead in 0 of 1 comparisons, level in 0, behind in 1.')
  expect(page).toContain('- a race in one: quick, 2.00×. It forgets.')
  expect(page).not.toContain('never shown')
  expect(summary(results)).toContain('| a race in one | 200/s    | quick: 400/s |')
})

test('a goal that was not met stands out', () => {
  const goal = (met: boolean): Block => ({ kind: 'goal', text: `goal that is ${met}`, met, value: '3×' })
  const page = render({ sections: [section('one', goal(true), goal(false))] }).get('RESULTS.md')!
  expect(page).toContain('1 of 2 are met.')
  expect(page).toMatch(/goal that is false \| 3× +\| \*\*not met\*\*/)
})

test('a section that did not run says so', () => {
  const failed = { ...section('one'), failed: 'chromium is not there' }
  expect(render({ sections: [failed] }).get('RESULTS.md')).toContain('Did not run: chromium is not there')
})

test('sections that ran take the places of older ones, the others stay', () => {
  const before: Results = { sections: [section('one', RACE), section('two'), section('gone')] }
  const again = section('two', { kind: 'text', text: 'new' })
  const merged = merge(before, [again, section('three')], ['three', 'one', 'two'])
  expect(merged.sections.map(({ name }) => name)).toEqual(['three', 'one', 'two'])
  expect(merged.sections[2]).toBe(again)
})

test('a longer bar is a larger value, and labels are escaped', () => {
  const bars = [4, 1].map((value) => ({ label: `<${value}> & co`, role: 'peer' as const, value, text: '' }))
  const svg = drawBars({ kind: 'bars', title: 't', subtitle: 's', panels: [{ title: '', bars }] })
  const [long, short] = [...svg.matchAll(/class="peer".*? width="([\d.]+)"/g)].map(([, width]) =>
    Number(width),
  )
  expect(long! / short!).toBeCloseTo(4, 1)
  expect(svg).toContain('&lt;4&gt; &amp; co')
})

test('on logarithmic axes a power law is a straight line', () => {
  const points = [1, 10, 100, 1000].map((x): [number, number] => [x, x ** 2])
  const series = [{ name: 'square', role: 'quayside' as const, points }]
  const svg = drawLines({ kind: 'lines', title: 't', subtitle: 's', x: 'x', series })
  const places = /points="([^"]+)"/
    .exec(svg)![1]!
    .split(' ')
    .map((place) => place.split(',').map(Number))
  for (const axis of [0, 1]) {
    const steps = places.slice(1).map((place, i) => place[axis]! - places[i]![axis]!)
    for (const step of steps) expect(step).toBeCloseTo(steps[0]!, 0)
  }
})

test('a row of a table has as many cells as its head', () => {
  for (const line of markdown(RACE).filter((line) => line.startsWith('|'))) {
    expect(line.split('|')).toHaveLength(8)
  }
})

test('RESULTS.md, its plots and the table of docs/speed.md are made of results.json', () => {
  const results = readResults()
  const bench = `${ROOT}/test/bench/`
  for (const [path, text] of render(results)) {
    expect(readFileSync(bench + path, 'utf8'), `run: npm run bench -- --render (${path})`).toBe(text)
    expect(text, path).not.toMatch(/NaN|undefined|Infinity/)
    expect(text, path).not.toContain(ROOT)
  }
  expect(partOf(PAGE, 'bench')).toBe(summary(results))
})
