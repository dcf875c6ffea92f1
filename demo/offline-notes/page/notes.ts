import { type ListedMessage } from '../../../src/index.ts'
import { type OutboxPayload, storedRequest } from '../../../src/outbox/index.ts'
import type { DeliveredNote } from '../server/notes.ts'
import { queue } from './outbox.ts'
import { fetchUnlessOff } from './switch.ts'

export type NoteState = 'stored' | 'sending' | 'delivered' | 'failed'

/** A note, wherever it is: in the queue, or with the server. */
export interface Note {
  readonly id: string
  readonly state: NoteState
  readonly text: string
  readonly writtenAt: number
  readonly photos: readonly Photo[]
  /** `delivered`: when it arrived. `stored`: when the next attempt is due. Both in ms since 1970. */
  readonly at: number | undefined
  /** What the last attempt failed with. */
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
  readonly weather: string
}

type Content = Pick<Note, 'text' | 'writtenAt' | 'photos'>

/** The texts and photos of waiting notes, read once from the forms that the queue keeps. */
const contents = new Map<string, Promise<Content>>()

/** The notes that the server does not have yet, as the queue has them. */
export async function waitingNotes(): Promise<Note[]> {
  const pages = await Promise.all([queue.list({ limit: 200 }), queue.deadLetters().list({ limit: 200 })])
  const messages = pages.flatMap((page) => [...page.messages])
  return await Promise.all(
    messages.map(async (message) => {
      const { id, state, nextInMs, lastError, parked } = message
      if (!contents.has(id)) contents.set(id, contentOf(message))
      return {
        id,
        state: state === 'dead' || state === 'parked' ? 'failed' : state === 'leased' ? 'sending' : 'stored',
        ...(await contents.get(id)!),
        at: state === 'delayed' ? Date.now() + nextInMs! : undefined,
        reason: parked?.reason ?? lastError,
      } satisfies Note
    }),
  )
}

/** The request was stored as it will be sent: a form, encoded. */
async function contentOf({ payload, timestamp }: ListedMessage<OutboxPayload>): Promise<Content> {
  try {
    const { body, headers } = storedRequest(payload)
    const form = await new Response(body as BodyInit, { headers }).formData()
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

export async function setWeather(weather: string): Promise<void> {
  const response = await fetchUnlessOff('/api/weather', { method: 'POST', body: weather })
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
  for (const { id, text, writtenAt, photos, receivedAt: at } of server?.notes ?? []) {
    notes.set(id, { id, state: 'delivered', text, writtenAt, photos, at, reason: undefined })
  }
  return [...notes.values()].sort((a, b) => b.writtenAt - a.writtenAt || (a.id < b.id ? 1 : -1))
}
