// The built package as a user gets it: every subpath loads by its name, and memory and fs carry a message.
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const pkg = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'))
for (const [subpath, target] of Object.entries(pkg.exports)) {
  if (typeof target === 'object')
    assert.ok(Object.keys(await import(join(pkg.name, subpath))).length > 0, subpath)
}

const { Queue } = await import('quayside')
const { MemoryAdapter } = await import('quayside/memory')
const { NodeFsAdapter } = await import('quayside/fs')

async function roundTrip(storage) {
  const queue = new Queue('smoke', { storage })
  await queue.createProducer().send({ text: 'héllo' })
  const consumer = queue.createConsumer()
  const message = await consumer.receive()
  assert.deepEqual(message?.payload, { text: 'héllo' })
  await consumer.ack(message)
  assert.equal(await consumer.receive(), undefined)
  await queue.close()
}

const directory = await mkdtemp(join(tmpdir(), 'quayside-smoke-'))
await roundTrip(new MemoryAdapter())
await roundTrip(new NodeFsAdapter(directory))
await rm(directory, { recursive: true })
console.log(`ok on Node ${process.versions.node}`)
