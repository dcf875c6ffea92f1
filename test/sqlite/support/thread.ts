/** A worker thread that takes all it can get, and says what it was. */
import { parentPort, workerData } from 'node:worker_threads'
import { SQLiteAdapter } from '../../../adapters/sqlite/index.ts'
import { Queue } from '../../../src/index.ts'

const queue = new Queue<number>('orders', { storage: new SQLiteAdapter(workerData as string) })
const taken: number[] = []
await queue.createConsumer('workers').drain(({ payload }) => void taken.push(payload), { concurrency: 5 })
await queue.close()
parentPort!.postMessage(taken)
