import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { report } from '../faults/support/report.ts'
import { Ledger, remaining } from './ledger.ts'
import { howMany } from '../support/effort.ts'
import { luck } from '../support/luck.ts'

/** `KILLS=1000 npx vitest run test/crash` for more. */
const KILLS = howMany('KILLS', { quick: 12, full: 100 })
/** Processes that work on one directory, one after the other, before it is looked at. */
const GENERATIONS = 10

/** So many messages every other process has sent before its time runs: a busy machine may kill the others too early for any. */
const SENT = 10

/** Lets a process work, and kills it `ms` after it has sent so many messages. */
function workAndKill(args: string[], ms: number, sent: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'child.ts'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let errors = ''
    const look = (): void => {
      if (child.exitCode !== null) return
      const told = readFileSync(args[1]!, 'utf8').match(/^s .*\n/gm) ?? []
      if (told.length < sent) setTimeout(look, 5)
      else setTimeout(() => child.kill('SIGKILL'), ms)
    }
    child.stdout.once('data', look)
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve()
      else reject(new Error(`the process ended by itself, with ${code ?? signal}: ${errors}`))
    })
  })
}

for (const durability of ['fsync', 'os']) {
  test(`${KILLS / 2} processes killed at random moments lose nothing and bring nothing back (${durability})`, async () => {
    const random = luck()
    let stored = 0
    let acked = 0
    let kept = 0
    for (let kill = 0; kill < KILLS / 2;) {
      const directory = mkdtempSync(join(tmpdir(), 'quayside-crash-'))
      const ledger = new Ledger()
      for (let generation = 0; generation < GENERATIONS && kill < KILLS / 2; generation++, kill++) {
        const log = join(directory, `../${basename(directory)}.log`)
        const args = [directory, log, durability, String(generation + 1)]
        await workAndKill(args, random() * 120, generation % 2 === 0 ? SENT : 0)
        ledger.readAll(readFileSync(log, 'utf8'))
        rmSync(log)
      }
      const found = await remaining(directory, ledger.stored)
      const { left, results } = found
      expect(ledger.problems(found), `in ${directory}`).toEqual({ lost: [], back: [], torn: [] })
      kept += results.length
      // Once more: nothing that was left is left twice.
      expect(new Set(left).size).toBe(left.length)
      stored += ledger.stored.size
      acked += ledger.acked.size
      rmSync(directory, { recursive: true })
    }
    report({
      adapter: `fs, ${durability}`,
      fault: `SIGKILL of the process at work; ${acked} messages acked, ${kept} results kept`,
      kills: KILLS / 2,
      messages: stored,
      violations: 0,
    })
    expect(stored).toBeGreaterThan(KILLS)
    expect(kept).toBeGreaterThan(KILLS / 2)
  })
}
