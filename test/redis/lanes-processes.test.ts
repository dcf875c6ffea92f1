// Limits of lanes hold across processes, on the clock of a server.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { RedisAdapter } from '../../adapters/redis/index.ts'
import { uuid } from '../../src/message-id.ts'
import type { NewMessage, QueueStorage } from '../../src/storage.ts'
import { effort } from '../support/effort.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'
import { connectClient } from './support/clients.ts'
import { pause } from './support/pause.ts'
import { type RedisServer, startRedis } from './support/server.ts'

const PROCESSES = 5
const NOTHING = { group: 'g', limit: 0, leaseMs: 1000, maxAttempts: 1 }

async function setUp(...args: readonly string[]): Promise<{ server: RedisServer; queue: QueueStorage }> {
  const server = await startRedis(...args)
  onTestFinished(() => server.stop())
  const { client, close } = await connectClient('redis', server.url)
  onTestFinished(close)
  const adapter = new RedisAdapter(client)
  onTestFinished(() => adapter.close())
  const queue = await adapter.open('orders')
  await queue.claim(NOTHING)
  return { server, queue }
}

function start(script: string, ...args: readonly string[]): ChildProcess {
  const path = fileURLToPath(new URL(`support/${script}`, import.meta.url))
  return spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function send(queue: QueueStorage, count: number, make: (i: number) => NewMessage): Promise<void> {
  for (let i = 0; i < count; i += 1000) {
    const batch = Array.from({ length: Math.min(1000, count - i) }, (_, j) => make(i + j))
    await queue.append(batch, { batchId: uuid() })
  }
}

test(
  'five processes never have more of a lane in flight than may be, nor nothing to do while one may go',
  { timeout: 900_000 },
  async () => {
    const { server, queue } = await setUp()
    const { messages, lanes } = effort({
      quick: { messages: 3000, lanes: 30 },
      full: { messages: 100_000, lanes: 1000 },
    })
    await send(queue, messages, (i) => ({ body: `${i}`, lane: `lane-${i % lanes}` }))
    const outputs = await Promise.all(
      Array.from({ length: PROCESSES }, async () => {
        const child = start('lanes-child.ts', server.url, '3', `${messages}`, `${lanes}`, `${PROCESSES}`)
        const [output, [code]] = await Promise.all([text(child.stdout!), once(child, 'exit')])
        expect(code).toBe(0)
        return output
      }),
    )
    expect(outputs.flatMap((output) => output.match(/^(over|idle) .*$/gm) ?? [])).toEqual([])
    const told = (what: string): number =>
      outputs.reduce((sum, output) => sum + Number(new RegExp(`^${what} (\\d+)$`, 'm').exec(output)![1]), 0)
    expect(told('acked')).toBe(messages)
    // All lanes were full, or the test has shown nothing.
    expect(told('looked')).toBeGreaterThan(0)
    expect((await queue.stats()).groups['g']).toMatchObject({ ready: 0, leased: 0, acked: messages })
  },
)

test(
  'five processes keep to a rate within 2 %, late, killed, and when the server starts anew',
  { ...WALL_CLOCK, timeout: 900_000 },
  async () => {
    const { server, queue } = await setUp('--appendonly', 'yes', '--appendfsync', 'always')
    const ms = effort({ quick: 6000, full: 60_000 })
    const each = 200
    await send(queue, (4 * ms) / each, (i) => ({ body: `${i}`, lane: 'a' }))
    const times: number[] = []
    const children: ChildProcess[] = []
    const add = (): void => {
      const child = start('rate-child.ts', server.url, `${1000 / each}`)
      children.push(child)
      child.stdout!.setEncoding('utf8').on('data', (data: string) => {
        for (const [, time] of data.matchAll(/^at (\d+)$/gm)) times.push(Number(time))
      })
    }
    onTestFinished(() => {
      for (const child of children) child.kill('SIGKILL')
    })
    for (let i = 0; i < PROCESSES; i++) add()
    /** Lets so much of a rate pass from the next message on; answers with how many came, of how many that should have. */
    const measure = async (length: number, meanwhile: () => void): Promise<readonly [number, number]> => {
      const before = times.length
      while (times.length === before) await pause(5)
      const from = times.at(-1)!
      await pause(length / 2)
      meanwhile()
      await pause(length / 2)
      const to = Date.now()
      // What comes late on its way.
      await pause(500)
      return [times.filter((time) => time > from && time <= to).length, (to - from) / each]
    }
    // All are there by then.
    await pause(3000)
    const one = await measure(ms / 2, () => {
      children[0]!.kill('SIGKILL')
      add()
    })
    await server.kill()
    await server.start()
    const two = await measure(ms / 2, () => children[1]!.kill('SIGKILL'))
    const [taken, expected] = [one[0] + two[0], one[1] + two[1]]
    expect(Math.abs(taken - expected), `${taken} instead of ${expected}`).toBeLessThanOrEqual(
      // Each part may begin and end between two of them.
      Math.max(2, 0.02 * expected),
    )
  },
)
