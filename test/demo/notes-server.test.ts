import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type DemoServer, startServer } from '../../demo/offline-notes/server/server.ts'

let server: DemoServer
/** Of Ada, who is logged in. */
let token: string

beforeEach(async () => {
  server = await startServer(new Map([['/', { type: 'text/html', body: 'the page' }]]))
  token = await logIn('ada')
})
afterEach(() => server.close())

const get = (path: string): Promise<Response> => fetch(server.origin + path)
const post = (path: string, body: BodyInit, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(server.origin + path, { method: 'POST', body, headers })

async function logIn(person: string): Promise<string> {
  const { token: own } = (await (await post('/api/session', person)).json()) as { token: string }
  return own
}

function note(text: string, ...photos: readonly File[]): FormData {
  const form = new FormData()
  form.set('text', text)
  form.set('writtenAt', '1800000000000')
  for (const photo of photos) form.append('photo', photo)
  return form
}

async function deliver(
  form: FormData,
  key: string,
  to = 'port',
  authorization = `Bearer ${token}`,
): Promise<[status: number, text: string]> {
  const response = await post(`/api/${to}/notes`, form, { 'idempotency-key': key, authorization })
  return [response.status, await response.text()]
}

describe('the server of offline notes', () => {
  test('keeps a note once, however often it comes, and counts', async () => {
    const [one, other] = await Promise.all([deliver(note('one'), 'a'), deliver(note('one'), 'a')])
    expect(one[0] + other[0]).toBe(200 + 201)
    expect(one[1]).toBe(other[1])
    await deliver(note('two'), 'b')
    const answer = (await (await get('/api/notes')).json()) as { notes: { text: string }[] }
    expect(answer).toMatchObject({ repeats: 1, weather: { port: 'calm', island: 'calm' } })
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
    expect((await post('/api/port/notes', note('no key'))).status).toBe(400)
    expect((await post('/api/port/notes', '{}', { 'idempotency-key': 'a' })).status).toBe(415)
    expect((await post('/api/port/weather', 'fog')).status).toBe(422)
    expect((await post('/api/session', 'eve')).status).toBe(422)
    expect((await post('/api/sea/notes', note('nowhere'))).status).toBe(405)
    expect((await post('/', '')).status).toBe(405)
    for (const path of ['/nothing', '/../package.json', '/%2e%2e/package.json', '/api/photos/x'])
      expect((await get(path)).status).toBe(404)
    expect(await (await get('/')).text()).toBe('the page')
    expect(server.notes.list()).toEqual([])
  })

  test('has a weather in each harbour', async () => {
    await post('/api/port/weather', 'squalls')
    expect((await deliver(note('one'), 'a'))[0]).toBe(503)
    expect((await deliver(note('elsewhere'), 'b', 'island'))[0]).toBe(201)
    await expect(deliver(note('one'), 'a')).rejects.toThrow('fetch failed')
    expect((await deliver(note('one'), 'a'))[0]).toBe(200)
    expect(server.notes.repeats).toBe(1)
    await post('/api/port/weather', 'closed')
    expect(await deliver(note('two'), 'c')).toEqual([403, 'The harbour is closed.'])
  })

  test('has a conflict with a note until it is edited, which is the same note then', async () => {
    await post('/api/island/weather', 'crossed')
    const form = note('one')
    form.set('id', 'note-1')
    expect((await deliver(form, 'a', 'island'))[0]).toBe(409)
    form.set('text', 'in other words')
    form.set('edited', 'yes')
    expect((await deliver(form, 'b', 'island'))[0]).toBe(201)
    await post('/api/island/weather', 'calm')
    form.set('text', 'once more')
    expect((await deliver(form, 'c', 'island'))[0]).toBe(201)
    expect(server.notes.list().map(({ id, text, to }) => [id, text, to])).toEqual([
      ['note-1', 'once more', 'island'],
    ])
  })

  test('takes notes of who is logged in, as theirs', async () => {
    expect((await deliver(note('nobody'), 'a', 'port', ''))[0]).toBe(401)
    expect((await deliver(note('forged'), 'a', 'port', 'Bearer ada'))[0]).toBe(401)
    const bob = `Bearer ${await logIn('bob')}`
    expect((await deliver(note('of bob'), 'b', 'port', bob))[0]).toBe(201)
    expect((await deliver(note('of ada'), 'c'))[0]).toBe(201)
    expect(server.notes.list().map(({ by, text }) => `${by}: ${text}`)).toEqual([
      'bob: of bob',
      'ada: of ada',
    ])
    await fetch(`${server.origin}/api/session`, { method: 'DELETE', headers: { authorization: bob } })
    expect((await deliver(note('too late'), 'd', 'port', bob))[0]).toBe(401)
    expect((await deliver(note('still there'), 'e'))[0]).toBe(201)
  })
})
