import { byId } from './dom.ts'
import { NoteCard, type NoteVerbs } from './note-card.ts'
import type { Note } from './notes.ts'

/** The list of notes. Cards live as long as their notes, so that focus and photos stay. */
export class Log {
  readonly #list = byId('notes')
  readonly #cards: Map<string, NoteCard> = new Map()
  readonly #verbs: NoteVerbs

  constructor(verbs: NoteVerbs) {
    this.#verbs = verbs
  }

  show(notes: readonly Note[]): void {
    const ids = new Set(notes.map(({ id }) => id))
    for (const [id, { element }] of this.#cards) {
      if (ids.has(id)) continue
      if (element.contains(document.activeElement)) byId('log-title').focus()
      element.remove()
      this.#cards.delete(id)
    }
    notes.forEach((note, i) => {
      const card = this.#cards.get(note.id) ?? new NoteCard(note, this.#verbs)
      this.#cards.set(note.id, card)
      card.show(note)
      const there = this.#list.children[i]
      if (there !== card.element) this.#list.insertBefore(card.element, there ?? null)
    })
    byId('empty').hidden = notes.length > 0
  }

  tick(): void {
    for (const card of this.#cards.values()) card.tick()
  }
}
