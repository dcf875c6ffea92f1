import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../fs/temporary.ts'
import { ROOT } from '../support/sources.ts'
import { jsonLines, quayside, works } from './quayside.ts'

const SOURCES = { env: { ...process.env, NODE_NO_WARNINGS: '1', COLUMNS: '100' } }

/** Many processes one after the other, beside those of other tests. */
const SLOW = { timeout: 300_000 }

interface Owner {
  readonly process: ChildProcess
  /** Has it stop. Resolves with what it tells, and its exit code. */
  stop(): Promise<{ readonly code: number | null; readonly told: Record<string, number> }>
}

async function ownerOf(directory: string): Promise<Owner> {
  const child = spawn(process.execPath, [join(ROOT, 'test/cli/owner-child.ts'), directory], {
    ...SOURCES,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })
  await once(lines, 'line')
  return {
    process: child,
    async stop() {
      const told = once(lines, 'line') as Promise<[string]>
      const ended = once(child, 'close') as Promise<[number | null]>
      child.stdin.end()
      return {
        told: JSON.parse((await told)[0]) as Record<string, number>,
        code: (await ended)[0],
      }
    },
  }
}

test(
  'a directory is looked into while its owner sends and acks, and the owner does not notice',
  SLOW,
  async () => {
    const directory = temporaryDirectory()
    const owner = await ownerOf(directory)
    const locks = (): string[] => readdirSync(directory).filter((name) => name.startsWith('lock-'))
    const before = locks()
    const isFirstThere = (): boolean => readdirSync(directory).includes('journal-0000000001.qsj')
    let sent = 0
    // Until the journal has begun other files meanwhile, and dropped its first one: how long that takes is the machine's.
    for (let round = 0; round < 3 || isFirstThere(); round++) {
      const [seen, waiting, dead, dump, verified] = await Promise.all([
        works(['stats', directory, '--json']),
        works(['list', directory, 'orders', '--json']),
        works(['dead', directory, 'orders', '--json']),
        works(['export', directory]),
        works(['verify', directory, '--json']),
      ])
      const [counts] = jsonLines(seen) as [{ sent: number; groups: { billing: { acked: number } } }]
      expect(counts.sent).toBeGreaterThan(sent)
      expect(counts.sent % 20).toBe(0) // Whole appends.
      expect(counts.groups.billing.acked).toBeLessThanOrEqual(counts.sent)
      sent = counts.sent
      for (const { payload } of jsonLines(waiting))
        expect(payload).toMatchObject({ n: expect.any(Number) as number })
      for (const letter of jsonLines(dead))
        expect(letter).toMatchObject({ reason: 'rejected', lastError: 'unlucky' })
      expect(jsonLines(dump)[0]).toMatchObject({ queue: 'orders', groups: ['billing'] })
      expect(jsonLines(verified)).toMatchObject([{ sound: true, queues: 1 }])
      expect(locks()).toEqual(before)
    }
    // All at once: each waits for the owner to go, as it might.
    const refused = [
      ['send', directory, 'orders', 'x'],
      ['redrive', directory, 'orders'],
      ['purge', directory, 'orders', '--yes'],
      ['import', directory],
      ['salvage', directory, join(directory, 'new')],
    ].map(async (words) => {
      const input = '{"quayside":"queue","version":1,"queue":"orders","groups":[],"exportedAt":0}\n'
      const { code, err } = await quayside(words, { input })
      expect([words[0], code]).toEqual([words[0], 1])
      expect(err).toMatch(new RegExp(`^quayside: .* is in use by process ${owner.process.pid} .*\\n$`))
    })
    await Promise.all(refused)

    const { code, told } = await owner.stop()
    expect(code).toBe(0)
    expect(told['acked']).toBe(told['counted'])
    expect(told['sent']).toBeGreaterThanOrEqual(sent)
    const [after] = jsonLines(await works(['stats', directory, '--json'])) as [{ sent: number }]
    expect(after.sent).toBe(told['sent'])
  },
)

test('stats --watch goes on counting until Ctrl-C', SLOW, async () => {
  const directory = temporaryDirectory()
  const owner = await ownerOf(directory)
  const watch = spawn(
    process.execPath,
    [join(ROOT, 'cli/main.ts'), 'stats', directory, 'orders', '--watch', '--json'],
    SOURCES,
  )
  onTestFinished(() => void watch.kill('SIGKILL'))
  const sent: number[] = []
  let last: number | undefined
  for await (const line of createInterface({ input: watch.stdout })) {
    sent.push((JSON.parse(line) as { sent: number }).sent)
    if (last === undefined && sent.length === 3) {
      // The owner goes, and another one comes.
      const { told } = await owner.stop()
      await works(['send', directory, 'orders', 'x'])
      last = told['sent']! + 1
    }
    // Once: a second one is for those whom it does not obey.
    if (sent.at(-1) === last && !watch.killed) watch.kill('SIGINT')
  }
  expect(sent.toSorted((a, b) => a - b)).toEqual(sent)
  expect(sent[2]).toBeGreaterThan(sent[0]!)
  if (watch.exitCode === null) await once(watch, 'close')
  expect(watch.exitCode).toBe(0)
})
