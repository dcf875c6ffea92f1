import { openSync, writeSync } from 'node:fs'
import { type Message, QuaysideError, Queue, type StorageAdapter } from '../../src/index.ts'

/**
 * Works on a queue until this process is killed, as one of several, and writes each step that the queue has acknowledged into a
 * file of its own, at once: what the operating system has of it survives the kill.
 *
 * Lines: `s N` message N was stored · `d N A` it was delivered, for the A-th time · `b N` about to be acked · `a N A` acked ·
 * `e TEXT` something failed that must not.
 *
 * @param words What {@link KilledProcesses} gives each process: the file, how long leases are, and the first number to send.
 * @param outage Resolves when it is worth another try; rejects with what must not be.
 */
export async function workUntilKilled(
  storage: StorageAdapter,
  [log = '', leaseMs = '', first = '']: readonly string[],
  outage: (error: unknown) => Promise<void> = fail,
): Promise<void> {
  const ledger = openSync(log, 'a')
  const say = (...lines: readonly string[]): void => {
    if (lines.length > 0) writeSync(ledger, `${lines.join('\n')}\n`)
  }
  const queue = new Queue<number>('work', { storage })
  const producer = queue.createProducer()
  const consumer = queue.createConsumer('workers', {
    leaseMs: Number(leaseMs),
    retry: { maxAttempts: 1_000_000, initialMs: 0 },
  })
  let next = Number(first)

  const send = async (): Promise<void> => {
    const batch = Array.from({ length: 1 + (next % 5) }, () => next++)
    await producer.sendBatch(
      batch.map((payload) => ({ payload, ...(payload % 3 === 0 && { id: `id-${payload}` }) })),
    )
    say(...batch.map((n) => `s ${n}`))
  }
  const ack = async (message: Message<number>): Promise<void> => {
    try {
      await message.ack()
      say(`a ${message.payload} ${message.attempt}`)
    } catch (error) {
      // A machine that stood still, and the lease is over: then somebody else has it.
      if (!(error instanceof QuaysideError && error.code === 'STALE_RECEIPT')) await outage(error)
    }
  }
  const work = async (): Promise<void> => {
    const messages = await consumer.receiveBatch(1 + (next % 20), { waitMs: 1000 })
    say(...messages.map(({ payload, attempt }) => `d ${payload} ${attempt}`))
    say(...messages.map(({ payload }) => `b ${payload}`))
    await Promise.all(messages.map(ack))
  }
  const always = async (step: () => Promise<void>): Promise<never> => {
    for (;;) {
      try {
        await step()
      } catch (error) {
        await outage(error)
      }
    }
  }
  try {
    await Promise.all([always(send), always(work), always(work)])
  } catch (error) {
    say(`e ${String(error)}`)
    throw error
  }
}

function fail(error: unknown): Promise<never> {
  return Promise.reject(error)
}
