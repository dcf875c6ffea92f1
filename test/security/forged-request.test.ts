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
async function replay(...forged: readonly Record<string, string>[]): Promise<Queue> {
  const queue = new Queue('outbox')
  const producer = queue.createProducer()
  for (const headers of forged) await producer.send(null, { headers })
  await new Outbox(queue).drain()
  return queue
}

test('a line break in a stored header or URL makes no header of it; the others are sent', async () => {
  const { origin, received } = await listen()
  const queue = await replay(
    { method: 'POST', url: `${origin}/a`, 'header:x-a': 'b\r\nx-evil: 1' },
    { method: 'POST', url: `${origin}/b`, 'header:x-a\r\nx-evil': '1' },
    { method: 'POST\r\nx-evil: 1', url: `${origin}/c` },
    { method: 'POST', url: `${origin}/d\r\nx-evil: 1` },
    { method: 'POST', url: `${origin}/good`, 'header:x-good': 'yes' },
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
    'header:Host': 'evil.example',
    'header:Content-Length': '1000',
    'header:Transfer-Encoding': 'chunked',
    'header:Connection': 'upgrade',
    'header:Expect': '100-continue',
    'header:sec-fetch-site': 'same-origin',
    'header:x-own': 'kept',
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
    { method: 'GET', url: 'file:///etc/passwd' },
    { method: 'GET', url: 'data:text/plain,x' },
    { method: 'GET' },
    {},
    JSON.parse(
      `{"method":"GET","url":"${origin}/good","__proto__":"x","constructor":"y","body":"z","signal":"w"}`,
    ) as Record<string, string>,
  )
  expect(received.map(({ url }) => url)).toEqual(['/good'])
  const { messages } = await queue.deadLetters().list()
  expect(messages.map(({ reason }) => reason)).toEqual(['rejected', 'rejected', 'rejected', 'rejected'])
  await queue.close()
})
