import { type ListedMessage } from '../../../src/index.ts'
import { type OutboxPayload, storedRequest } from '../../../src/outbox/index.ts'
import type { DeliveredNote } from '../server/notes.ts'
import type { Person } from '../server/sessions.ts'
import type { Harbour, Weather } from '../server/weather.ts'
import { harbourOf, outbox, queue } from './outbox.ts'
import { fetchUnlessOff } from './switch.ts'

export type NoteState = 'stored' | 'sending' | 'delivered' | 'failed'

/** A note, wherever it is: in the queue, or with the server. */
export interface Note {
  readonly id: string
  readonly state: NoteState
  readonly by: Person
  readonly to: Harbour
  readonly text: string
  readonly writtenAt: number
  readonly photos: readonly Photo[]
  /** `delivered`: when it arrived. `stored`: when the next attempt is due. Both in ms since 1970. */
  readonly at: number | undefined
  /** What the last attempt failed with, or what it waits for. */
  readonly reason: string | undefined
}

export interface Photo {
  readonly name: string
  readonly url: string
}

/** What the server has. */
export interface Delivered {
  readonly notes: readonly DeliveredNote[]
  readonly repeats: number
  readonly weather: Readonly<Record<Harbour, Weather>>
}

type Content = Pick<Note, 'text' | 'writtenAt' | 'photos'>

/** The texts and photos of waiting notes, read once from the forms that the queue keeps; each edit has one of its own. */
const contents = new Map<string, Promise<Content>>()

/** What waits on this device. */
export interface Waiting {
  /** Of the person who is here. */
  readonly notes: readonly Note[]
  /** How many notes wait for somebody else. */
  readonly ofOthers: number
}

const STATES = ['ready', 'leased', 'delayed', 'blocked', 'parked', 'dead'] as const

/** The notes that the server does not have yet, as the queue has them. */
export async function waiting(person: Person): Promise<Waiting> {
  const [held, all, { messages }] = await Promise.all([
    outbox.held(),
    queue.list({ state: STATES, limit: 200, bodies: false }),
    outbox.list({ state: STATES, limit: 200 }),
  ])
  const own = messages.filter(({ headers }) => headers['by'] === person)
  const waitsForLogIn = new Set<string>(held.map(({ destination }) => destination))
  const notes = own.map(async (message): Promise<Note> => {
    const { id, payload, state, nextInMs, lastError, parked } = message
    const { url, version = '' } = storedRequest(payload)
    const to = harbourOf(url)
    const content = `${id} ${version}`
    if (!contents.has(content)) contents.set(content, contentOf(message))
    const failed = state === 'dead' || state === 'parked'
    const isHeld = !failed && waitsForLogIn.has(to)
    return {
      id,
      state: failed ? 'failed' : state === 'leased' ? 'sending' : 'stored',
      by: person,
      to,
      ...(await contents.get(content)!),
      at: state === 'delayed' && !isHeld ? Date.now() + nextInMs! : undefined,
      reason: isHeld ? 'waits for a log-in' : (parked?.reason ?? lastError),
    }
  })
  return { notes: await Promise.all(notes), ofOthers: all.messages.length - own.length }
}

/** The request was stored as it will be sent: a form, encoded. */
async function contentOf({ payload, timestamp }: ListedMessage<OutboxPayload>): Promise<Content> {
  try {
    const form = await formOf(payload)
    const photos = form.getAll('photo').filter((entry) => entry instanceof File)
    return {
      text: form.get('text') as string,
      writtenAt: Number(form.get('writtenAt')),
      photos: photos.map((file) => ({ name: file.name, url: URL.createObjectURL(file) })),
    }
  } catch {
    return { text: '(This note cannot be shown.)', writtenAt: timestamp, photos: [] }
  }
}

async function formOf(payload: OutboxPayload | undefined): Promise<FormData> {
  const { body, headers } = storedRequest(payload)
  return await new Response(body as BodyInit, { headers }).formData()
}

/** Has a note say something else, from its next attempt on. Answers whether it was still there to be edited. */
export async function reword({ id, state }: Note, text: string): Promise<boolean> {
  const [message] = (await outbox.list({ ids: [id] })).messages
  if (message === undefined) return false
  const body = await formOf(message.payload)
  body.set('text', text)
  body.set('edited', 'yes')
  const request = new Request(storedRequest(message.payload).url, { method: 'POST', body })
  return state === 'failed' ? await outbox.resolve(id, { request }) : await outbox.edit(id, request)
}

/** Asks the server. `undefined`: it cannot be reached, and nothing is kept of what it said before. */
export async function delivered(): Promise<Delivered | undefined> {
  try {
    // The service worker answers with what it kept when there is no network.
    const response = await fetch('/api/notes')
    return response.ok ? ((await response.json()) as Delivered) : undefined
  } catch {
    return undefined
  }
}

export async function setWeather(harbour: string, weather: string): Promise<void> {
  const response = await fetchUnlessOff(`/api/${harbour}/weather`, { method: 'POST', body: weather })
  if (!response.ok) throw new Error(await response.text())
}

/**
 * All notes, the newest first. `before` is what was shown last, and `accepted` are those that the server has taken: between
 * the end of a note in the queue and the next list of the server, these know of it.
 */
export function merge(
  waiting: readonly Note[],
  server: Delivered | undefined,
  before: readonly Note[],
  accepted: ReadonlySet<string>,
): Note[] {
  const notes = new Map<string, Note>()
  for (const note of before) if (accepted.has(note.id)) notes.set(note.id, { ...note, state: 'delivered' })
  for (const note of waiting) notes.set(note.id, note)
  for (const { receivedAt: at, ...note } of server?.notes ?? []) {
    notes.set(note.id, { ...note, state: 'delivered', at, reason: undefined })
  }
  return [...notes.values()].sort((a, b) => b.writtenAt - a.writtenAt || (a.id < b.id ? 1 : -1))
}
