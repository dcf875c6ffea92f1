import type { Person } from './sessions.ts'
import type { Harbour } from './weather.ts'

/** A note as the server gives it out. */
export interface DeliveredNote {
  readonly id: string
  /** Whose session it came with, and where to. */
  readonly by: Person
  readonly to: Harbour
  readonly text: string
  /** When it was written and when it arrived, in ms since 1970. */
  readonly writtenAt: number
  readonly receivedAt: number
  readonly photos: readonly { readonly name: string; readonly url: string }[]
}

export interface Photo {
  readonly type: string
  readonly bytes: Uint8Array
}

/** What is wrong with a note. */
export class Refusal extends Error {}

const MAX_TEXT = 5000
/** No SVG: it can carry scripts. */
const IMAGES = /^image\/(jpeg|png|webp|gif|avif|heic|heif)$/

/** The notes that have arrived, in memory. Each is kept once, however often it comes. */
export class Notes {
  readonly photos: Map<string, Photo> = new Map()
  readonly #notes: Map<string, DeliveredNote> = new Map()
  /** What came with which Idempotency-Key. */
  readonly #keys: Map<string, DeliveredNote> = new Map()
  #repeats = 0

  /** How often a note came that was there already. */
  get repeats(): number {
    return this.#repeats
  }

  list(): DeliveredNote[] {
    return [...this.#notes.values()]
  }

  /**
   * @param key The Idempotency-Key that it arrived with.
   * @throws {@link Refusal}
   */
  async add(
    key: string,
    form: FormData,
    from: Pick<DeliveredNote, 'by' | 'to'>,
  ): Promise<{ note: DeliveredNote; repeated: boolean }> {
    const id = form.get('id') ?? key
    const text = form.get('text')
    const writtenAt = Number(form.get('writtenAt'))
    const files = form.getAll('photo').filter((entry) => typeof entry !== 'string')
    if (typeof id !== 'string') throw new Refusal('The id of a note is a text.')
    if (typeof text !== 'string') throw new Refusal('A note needs a text.')
    if (text.trim() === '' && files.length === 0) throw new Refusal('The note is empty.')
    if (text.length > MAX_TEXT) throw new Refusal(`A note may have ${MAX_TEXT} characters.`)
    if (!Number.isSafeInteger(writtenAt)) throw new Refusal('A note says when it was written.')
    for (const { name, type } of files) {
      if (!IMAGES.test(type))
        throw new Refusal(`${name} is no photo that is taken here (${type || 'no type'}).`)
    }
    const contents = await Promise.all(files.map(async (file) => new Uint8Array(await file.arrayBuffer())))
    // From here on nothing waits: two deliveries of one note cannot both be the first.
    const known = this.#keys.get(key)
    if (known !== undefined) {
      this.#repeats++
      return { note: known, repeated: true }
    }
    const photos = files.map(({ name, type }, i) => {
      const path = `${encodeURIComponent(id)}/${i}`
      this.photos.set(path, { type, bytes: contents[i]! })
      return { name, url: `/api/photos/${path}` }
    })
    const note = { id, ...from, text, writtenAt, receivedAt: Date.now(), photos }
    this.#keys.set(key, note)
    this.#notes.set(id, note)
    return { note, repeated: false }
  }
}
