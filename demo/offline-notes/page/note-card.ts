import { flag, h, setText } from './dom.ts'
import { nameOf } from './names.ts'
import type { Note, NoteState } from './notes.ts'

/** What the buttons of a note do. */
export interface NoteVerbs {
  readonly retry: (note: Note) => Promise<void>
  readonly discard: (note: Note) => Promise<void>
  readonly reword: (note: Note, text: string) => Promise<void>
}

/** Which signal flag says what: P, "about to sail"; H, "pilot on board"; C, "affirmative"; V, "I require assistance". */
const FLAGS: Record<NoteState, string> = { stored: 'p', sending: 'h', delivered: 'c', failed: 'v' }
const WORDS: Record<NoteState, string> = {
  stored: 'Stored',
  sending: 'Sending',
  delivered: 'Delivered',
  failed: 'Failed',
}

const time = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hour12: false })
const date = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' })

/** One note in the log. */
export class NoteCard {
  readonly element: HTMLLIElement
  readonly #flags: HTMLSpanElement = h('span', { className: 'mast' })
  readonly #state: HTMLElement = h('strong')
  readonly #detail: HTMLSpanElement = h('span', { className: 'detail' })
  readonly #actions: HTMLDivElement
  readonly #retry: NoteButton
  readonly #photos: HTMLDivElement = h('div', { className: 'photos' })
  readonly #way: HTMLParagraphElement = h('p', { className: 'way' })
  readonly #text: HTMLParagraphElement = h('p', { className: 'text' })
  readonly #words: HTMLTextAreaElement = h('textarea', { rows: 3, maxLength: 5000 })
  readonly #editor: HTMLFormElement
  #note: Note

  constructor(note: Note, verbs: NoteVerbs) {
    this.#note = note
    const about = cut(note.text.trim() || 'photo', 40)
    this.#retry = new NoteButton('Try again', about, () => verbs.retry(this.#note))
    const discard = new NoteButton('Discard', about, () => verbs.discard(this.#note), true)
    const edit = new NoteButton('Edit', about, () => this.#edit(true))
    this.#actions = h('div', { className: 'actions' }, this.#retry.element, edit.element, discard.element)
    const cancel = h('button', { type: 'button' }, 'Cancel')
    cancel.addEventListener('click', () => this.#edit(false))
    this.#words.ariaLabel = `Edit: ${about}`
    this.#editor = h(
      'form',
      { hidden: true },
      this.#words,
      h('div', { className: 'actions' }, h('button', { type: 'submit' }, 'Send this instead'), cancel),
    )
    this.#editor.addEventListener('submit', (event) => {
      event.preventDefault()
      const { value } = this.#words
      this.#edit(false)
      void verbs.reword(this.#note, value)
    })
    const writtenAt = new Date(note.writtenAt)
    this.#photos.append(
      ...note.photos.map(({ name, url }, i) =>
        h('img', { src: url, alt: `Photo ${i + 1}: ${name}`, loading: 'lazy' }),
      ),
    )
    this.#photos.hidden = note.photos.length === 0
    this.element = h(
      'li',
      { className: 'note' },
      h(
        'time',
        { dateTime: writtenAt.toISOString() },
        time.format(writtenAt),
        h('span', {}, date.format(writtenAt)),
      ),
      h(
        'div',
        { className: 'entry' },
        this.#way,
        this.#text,
        this.#editor,
        this.#photos,
        h('p', { className: 'state' }, this.#flags, this.#state, ' ', this.#detail),
        this.#actions,
      ),
    )
    this.element.dataset['id'] = note.id
    this.show(note)
  }

  show(note: Note): void {
    const { state } = note
    if (this.element.dataset['state'] !== state) this.#flags.replaceChildren(flag(FLAGS[state]))
    this.element.dataset['state'] = state
    this.#note = note
    setText(this.#state, WORDS[state])
    setText(this.#text, note.text)
    setText(this.#way, `${nameOf(note.by)} to ${nameOf(note.to)}`)
    const waits = state === 'stored' && note.at !== undefined
    const mayAct = state === 'failed' || waits
    if (!mayAct) {
      const parts = [this.#actions, this.#editor]
      if (parts.some((part) => part.contains(document.activeElement))) this.focus()
      this.#editor.hidden = true
    }
    const isEdited = !this.#editor.hidden
    this.#text.hidden = note.text === '' || isEdited
    this.#actions.hidden = !mayAct || isEdited
    this.#retry.label = waits ? 'Try now' : 'Try again'
    this.tick()
  }

  #edit(open: boolean): void {
    this.#editor.hidden = !open
    this.#words.value = this.#note.text
    this.show(this.#note)
    if (open) this.#words.focus()
    else this.focus()
  }

  /** Lets the countdown go on. */
  tick(): void {
    setText(this.#detail, detailOf(this.#note))
  }

  focus(): void {
    this.element.tabIndex = -1
    this.element.focus()
  }
}

function detailOf({ state, at, reason }: Note): string {
  if (state === 'delivered') return at === undefined ? '' : `at ${time.format(at)}`
  if (state === 'sending') return ''
  const why = reason === undefined ? '' : plainly(reason)
  if (state === 'failed') return why
  const seconds = at === undefined ? 0 : Math.ceil((at - Date.now()) / 1000)
  return [why, seconds > 0 ? `next try in ${seconds} s` : ''].filter(Boolean).join(' · ')
}

/** What went wrong, without what only a log wants to know. */
function plainly(reason: string): string {
  return cut(reason.replace(/^HTTP \d+: /, '').replace(/^no answer: .*/, 'no answer from the server'), 160)
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text
}

/** A button that says for screen readers which note it is about. A final one asks once more. */
class NoteButton {
  readonly element: HTMLButtonElement
  readonly #label: HTMLSpanElement
  #armed = false

  constructor(label: string, about: string, run: () => unknown, final = false) {
    this.#label = h('span', {}, label)
    this.element = h(
      'button',
      { type: 'button' },
      this.#label,
      h('span', { className: 'unseen' }, `: ${about}`),
    )
    const arm = (on: boolean): void => {
      this.#armed = on
      this.label = on ? `${label}: sure?` : label
    }
    this.element.addEventListener('click', () => {
      if (final && !this.#armed) return arm(true)
      if (final) arm(false)
      run()
    })
    if (final) this.element.addEventListener('blur', () => arm(false))
  }

  set label(text: string) {
    setText(this.#label, text)
  }
}
