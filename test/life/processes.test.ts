import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { randomFrom } from '../../conformance/scene.ts'
import { serve } from '../outbox/server.ts'
import { howMany } from '../support/effort.ts'

// Real processes with an outbox on a disk, which are killed at any time, and a server that fails now and then.

const KILLS = howMany('KILLS', { quick: 10, full: 300 })
/** At most so many families of requests are stored between two kills. */
const FAMILIES = 3

test(`a create, three edits and a delete reach the server once each, in order, and no child before its parent: ${KILLS} kills`, async () => {
  const random = randomFrom(11)
  const directory = await mkdtemp(join(tmpdir(), 'quayside-killed-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const wrong: string[] = []
  let isWell = false
  /** What the server has made, by what it was asked to make; and what became of it. */
  const made = new Map<string, number>()
  const seen = new Map<number, string[]>()
  const { origin } = await serve((response, { method, path, body }) => {
    const luck = isWell ? 1 : random()
    if (luck < 0.1) return response.destroy()
    if (luck < 0.2) return response.writeHead(500).end()
    const text = body.toString()
    const id = method === 'POST' ? (made.get(text) ?? made.size + 100) : Number(path.slice(1))
    if (method === 'POST') made.set(text, id)
    else if (seen.has(id)) seen.get(id)!.push(`${method} ${text}`)
    else wrong.push(`${method} ${path} ${text}`)
    if (!seen.has(id) && method === 'POST') seen.set(id, [])
    // It has arrived, and the answer is lost.
    if (luck < 0.3) return response.destroy()
    return response.end(JSON.stringify({ id }))
  })
  /** Families of which a process said that they are stored. */
  const stored = new Set<string>()
  const start = (first: number, count: number): { child: ChildProcess; up: Promise<unknown> } => {
    const file = join(import.meta.dirname, 'child.ts')
    const child = spawn(
      process.execPath,
      ['--no-warnings', file, directory, origin, `${first}`, `${count}`],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    const lines = createInterface({ input: child.stdout })
    lines.on('line', (line) => line !== 'up' && stored.add(line))
    return { child, up: once(lines, 'line') }
  }
  for (let kills = 0; kills < KILLS; kills++) {
    const { child, up } = start(kills * FAMILIES, FAMILIES)
    await up
    // From the middle of storing them to long after.
    await new Promise((resolve) => setTimeout(resolve, random() ** 3 * 300))
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
  }
  isWell = true
  const { child } = start(0, 0)
  expect(await once(child, 'close')).toEqual([0, null])
  expect(wrong).toEqual([])
  for (const parent of stored) expect(made.has(parent), parent).toBe(true)
  for (const [parent, id] of made) {
    // An answer that got lost makes one of two.
    const own = seen.get(id)!.filter((text, i, all) => all[i - 1] !== text)
    const whole = [`PUT ${parent} 1`, `PUT ${parent} 2`, `PUT ${parent} 3`, 'DELETE ']
    // What was not all stored when it was killed has less.
    expect(own, parent).toEqual(stored.has(parent) ? whole : whole.slice(0, own.length))
  }
}, 1_800_000)
