import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type DemoServer, startServer } from '../../demo/offline-notes/server/server.ts'

let server: DemoServer

beforeEach(async () => {
  server = await startServer(new Map([['/', { type: 'text/html', body: 'the page' }]]))
})
afterEach(() => server.close())

const get = (path: string): Promise<Response> => fetch(server.origin + path)
const post = (path: string, body: BodyInit, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(server.origin + path, { method: 'POST', body, headers })

function note(text: string, ...photos: readonly File[]): FormData {
  const form = new FormData()
  form.set('text', text)
  form.set('writtenAt', '1800000000000')
  for (const photo of photos) form.append('photo', photo)
  return form
}

async function deliver(form: FormData, id: string): Promise<[status: number, text: string]> {
  const response = await post('/api/notes', form, { 'idempotency-key': id })
  return [response.status, await response.text()]
}

describe('the server of offline notes', () => {
  test('keeps a note once, however often it comes, and counts', async () => {
    const [one, other] = await Promise.all([deliver(note('one'), 'a'), deliver(note('one'), 'a')])
    expect(one[0] + other[0]).toBe(200 + 201)
    expect(one[1]).toBe(other[1])
    await deliver(note('two'), 'b')
    const answer = (await (await get('/api/notes')).json()) as { notes: { text: string }[] }
    expect(answer).toMatchObject({ repeats: 1, weather: 'calm' })
    expect(answer.notes.map(({ text }) => text)).toEqual(['one', 'two'])
  })

  test('gives out photos as they came, with nothing that a browser would run', async () => {
    const photo = new File([Uint8Array.of(1, 2, 3)], 'sea.png', { type: 'image/png' })
    await deliver(note('with a photo', photo), 'a/b')
    const { url } = server.notes.list()[0]!.photos[0]!
    const response = await get(url)
    expect([...new Uint8Array(await response.arrayBuffer())]).toEqual([1, 2, 3])
    expect(response.headers.get('content-type')).toBe('image/png')
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    const page = new File(['<script>'], 'page.html', { type: 'text/html' })
    const drawing = new File(['<svg/>'], 'drawing.svg', { type: 'image/svg+xml' })
    for (const file of [page, drawing]) expect((await deliver(note('x', file), 'c'))[0]).toBe(422)
  })

  test('says what is wrong', async () => {
    expect(await deliver(note(' '), 'a')).toEqual([422, 'The note is empty.'])
    expect((await deliver(note('x'.repeat(5001)), 'a'))[0]).toBe(422)
    expect((await post('/api/notes', note('no key'))).status).toBe(400)
    expect((await post('/api/notes', '{}', { 'idempotency-key': 'a' })).status).toBe(415)
    expect((await post('/api/weather', 'fog')).status).toBe(422)
    expect((await post('/', '')).status).toBe(405)
    for (const path of ['/nothing', '/../package.json', '/%2e%2e/package.json', '/api/photos/x'])
      expect((await get(path)).status).toBe(404)
    expect(await (await get('/')).text()).toBe('the page')
    expect(server.notes.list()).toEqual([])
  })

  test('has weather', async () => {
    await post('/api/weather', 'squalls')
    expect((await deliver(note('one'), 'a'))[0]).toBe(503)
    await expect(deliver(note('one'), 'a')).rejects.toThrow('fetch failed')
    expect((await deliver(note('one'), 'a'))[0]).toBe(200)
    expect(server.notes.repeats).toBe(1)
    await post('/api/weather', 'closed')
    expect(await deliver(note('two'), 'b')).toEqual([422, 'The harbour is closed.'])
  })
})
