// The built package as a user gets it: every subpath loads by its name, by `require` too, and memory and fs carry a message; so does the command line.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const pkg = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'))
/** They import `cloudflare:workers`, which only workerd has (test/runtimes loads it there), and React, which is not installed. */
const ELSEWHERE = ['./durable-object', './react']
const require = createRequire(import.meta.url)
for (const [subpath, target] of Object.entries(pkg.exports)) {
  if (typeof target === 'string' || ELSEWHERE.includes(subpath)) continue
  const name = pkg.name + subpath.slice(1)
  const module = await import(name)
  assert.ok(Object.keys(module).length > 0, subpath)
  assert.equal(require(name), module, subpath)
}

const { Queue } = await import('quayside')
const { MemoryAdapter } = await import('quayside/memory')
const { NodeFsAdapter } = await import('quayside/fs')

// Names of locals are short in what is published; those that users meet are not.
assert.equal(Queue.name, 'Queue')
const refused = await new Queue('smoke')
  .createProducer()
  .send(undefined)
  .catch((error) => error)
assert.match(refused.stack, /^QuaysideError.*\n(?:.*\n)*.*Producer\.send/)

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

const cli = fileURLToPath(new URL(`../${pkg.bin.quayside}`, import.meta.url))
const quayside = (...words) => execFileSync(process.execPath, [cli, ...words], { encoding: 'utf8' })
assert.equal(quayside('--version'), `${pkg.version}\n`)
assert.equal(quayside('send', directory, 'smoke', 'hello'), 'sent 1 message\n')
assert.match(quayside('list', directory, 'smoke', '--json'), /"payload":"hello"/)
await rm(directory, { recursive: true })
console.log(`ok on Node ${process.versions.node}`)
