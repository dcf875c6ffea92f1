/** Opens the directory that it is given and keeps it until it is killed. Says `open`, or the error, on its first line. */
import { openJournalStore } from '../../adapters/fs/store.ts'

const [directory, hold] = process.argv.slice(2) as [string, string?]

try {
  const store = await openJournalStore(directory, { waitForLockMs: 0 })
  const queue = await store.open('queue')
  const opened = await queue.transact('append', (tx) => {
    const before = tx.get<number>('state', 'opened') ?? 0
    tx.put('state', 'opened', before + 1)
    return before + 1
  })
  console.log(JSON.stringify({ open: opened, pid: process.pid }))
  if (hold === undefined) await new Promise(() => setInterval(() => {}, 1000))
  await new Promise((resolve) => setTimeout(resolve, Number(hold)))
  await store.close()
} catch (error) {
  const { code, message } = error as { code?: string; message: string }
  console.log(JSON.stringify({ code, message }))
}
