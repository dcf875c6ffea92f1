import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { Queue } from '../../src/index.ts'

/** Names that lead somewhere else, were they paths, keys or patterns. */
const NAMES = [
  '../../etc/passwd',
  '..',
  '/etc/passwd',
  'a/../../b',
  String.raw`..\..\windows`,
  'nul\0byte',
  'journal-0000000001.qsj',
  'lock-1-2-3',
  '*',
  '{a}',
  'a\r\nb',
]

test('names of queues, groups, keys and ids never leave the directory, and never meet', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'quayside-names-'))
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }))
  const directory = join(parent, 'deep', 'data')
  mkdirSync(directory, { recursive: true })
  const storage = new NodeFsAdapter(directory)
  for (const name of NAMES) {
    const queue = new Queue<string>(name, { storage })
    await queue.createConsumer(name).join()
    await queue.createProducer().send(name, { id: name, key: name, headers: { [name]: name } })
  }
  expect(readdirSync(parent)).toEqual(['deep'])
  expect(readdirSync(join(parent, 'deep'))).toEqual(['data'])
  for (const file of readdirSync(directory))
    expect(file).toMatch(/^(journal-\d{10}\.qsj|lock-[\w.-]+|reserve[\w.-]*)$/)
  await storage.close()
  expect(existsSync(join(parent, 'etc'))).toBe(false)
  const again = new NodeFsAdapter(directory)
  for (const name of NAMES) {
    const queue = new Queue<string>(name, { storage: again })
    const seen: unknown[] = []
    await queue.createConsumer(name).drain((message) => {
      seen.push([message.payload, message.id, message.key, message.headers])
    })
    expect(seen).toEqual([[name, name, name, { [name]: name }]])
  }
  await again.close()
})
