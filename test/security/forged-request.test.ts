import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { Queue } from '../../src/index.ts'
import { Outbox } from '../../src/outbox/index.ts'

interface Received {
  readonly url: string
  readonly headers: string[]
}

/** A server that keeps what it gets, byte for byte. */
async function listen(): Promise<{ origin: string; received: Received[] }> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    received.push({ url: request.url!, headers: request.rawHeaders })
    request.resume()
    response.writeHead(204).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received }
}

/** What somebody who can write to the queue puts there in place of a request. */
async function replay(...forged: readonly unknown[]): Promise<Queue> {
  const queue = new Queue('outbox')
  const producer = queue.createProducer()
  for (const payload of forged) await producer.send(payload, { lane: ' anywhere' })
  await new Outbox(queue).drain()
  return queue
}

test('a line break in a stored header or URL makes no header of it; the others are sent', async () => {
  const { origin, received } = await listen()
  const queue = await replay(
    { method: 'POST', url: `${origin}/a`, headers: { 'x-a': 'b\r\nx-evil: 1' } },
    { method: 'POST', url: `${origin}/b`, headers: { 'x-a\r\nx-evil': '1' } },
    { method: 'POST\r\nx-evil: 1', url: `${origin}/c`, headers: {} },
    { method: 'POST', url: `${origin}/d\r\nx-evil: 1`, headers: {} },
    { method: 'POST', url: `${origin}/good`, headers: { 'x-good': 'yes' } },
  )
  expect(received.map(({ url }) => url)).toContain('/good')
  for (const { headers } of received) expect(headers.join('\n').toLowerCase()).not.toMatch(/^x-evil$/m)
  const { messages } = await queue.deadLetters().list()
  expect(messages.length + received.length).toBe(5)
  expect((await queue.stats()).messages).toBe(0)
  await queue.close()
})

test('headers that belong to whoever sends it are not taken from what is stored', async () => {
  const { origin, received } = await listen()
  const queue = await replay({
    method: 'POST',
    url: `${origin}/x`,
    headers: {
      Host: 'evil.example',
      'Content-Length': '1000',
      'Transfer-Encoding': 'chunked',
      Connection: 'upgrade',
      Expect: '100-continue',
      'sec-fetch-site': 'same-origin',
      'x-own': 'kept',
    },
  })
  expect(received).toHaveLength(1)
  const sent = received[0]!.headers.map((text) => text.toLowerCase())
  expect(sent).toContain('kept')
  for (const evil of ['evil.example', '1000', 'chunked', 'upgrade', '100-continue']) {
    expect(sent).not.toContain(evil)
  }
  await queue.close()
})

test('what is no http request is a dead letter, and names of every object are no parts of one', async () => {
  const { origin, received } = await listen()
  const queue = await replay(
    { method: 'GET', url: 'file:///etc/passwd', headers: {} },
    { method: 'GET', url: 'data:text/plain,x', headers: {} },
    { method: 'GET' },
    {},
    null,
    'POST /good',
    new Uint8Array([1, 2, 3]),
    JSON.parse(
      `{"method":"GET","url":"${origin}/good","headers":{},"__proto__":"x","constructor":"y","signal":"w"}`,
    ),
  )
  expect(received.map(({ url }) => url)).toEqual(['/good'])
  const { messages } = await queue.deadLetters().list()
  expect(messages.map(({ reason }) => reason)).toEqual(Array.from({ length: 7 }, () => 'rejected'))
  await queue.close()
})
