import { expect, onTestFinished, test } from 'vitest'
import { startWorker } from '../cloudflare-kv/support/workerd.ts'
import { EXPECTED, exercise } from './exercise.ts'

test('works in Node', async () => {
  expect(await exercise()).toEqual(EXPECTED)
})

test('works in workerd', async () => {
  const worker = await startWorker('test/encryption/worker.ts')
  onTestFinished(() => worker.close())
  expect(await worker.json('/')).toEqual(EXPECTED)
})
