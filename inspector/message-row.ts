import { cell, h, setText } from './dom.ts'
import { isEditable } from './editor.ts'
import type { Shown } from './inspected-queue.ts'
import { cut, detailOf, duration, outcomeText, titleOf } from './text.ts'
import { type Act, type Verb, verbButton } from './verbs.ts'

const ERROR_LENGTH = 300

/** What a row can do with its message. */
export interface RowVerbs {
  readonly retryNow: (id: string) => Promise<string>
  readonly drop: (id: string) => Promise<string>
  readonly redrive: (id: string) => Promise<string>
  readonly resume: (id: string) => Promise<string>
  readonly remove: (id: string) => Promise<string>
  /** Lets somebody change what is parked. */
  readonly edit: (message: Shown) => void
}

/** One message in the table. Lives as long as the message is shown, so that focus and what is unfolded stay. */
export class MessageRow {
  readonly element: HTMLTableRowElement
  readonly #title: HTMLButtonElement
  readonly #detail: HTMLPreElement = h('pre', { hidden: true, tabIndex: 0, ariaLabel: 'The whole message' })
  readonly #badge: HTMLSpanElement = h('span', { className: 'badge' })
  readonly #next: HTMLSpanElement = h('span', { className: 'next' })
  readonly #age: HTMLTableCellElement
  readonly #attempts: HTMLTableCellElement
  readonly #error: HTMLTableCellElement
  readonly #retry: HTMLButtonElement | undefined
  readonly #edit: HTMLButtonElement
  #message: Shown
  /** When the message was read, to count down from. */
  #readAt = 0

  constructor(message: Shown, told: string, act: Act, verbs: RowVerbs) {
    this.#message = message
    const { id, state } = message
    const button = (verb: Omit<Verb, 'about'>): HTMLButtonElement =>
      verbButton(act, { ...verb, about: titleOf(message) })
    this.#title = h('button', { type: 'button', className: 'title', ariaExpanded: 'false' })
    this.#title.addEventListener('click', () => this.#toggle())
    this.#age = cell('Age')
    this.#attempts = cell('Attempts')
    this.#error = cell(told, 'error')
    this.#edit = h('button', { type: 'button', className: 'verb' }, 'Edit')
    this.#edit.ariaLabel = `Edit ${titleOf(message)}`
    this.#edit.addEventListener('click', () => verbs.edit(this.#message))
    const actions = cell('', 'actions')
    if (state === 'dead') {
      actions.append(
        button({ label: 'Redrive', run: () => verbs.redrive(id) }),
        button({ label: 'Delete', final: true, run: () => verbs.remove(id) }),
      )
    } else if (state === 'parked') {
      actions.append(
        button({ label: 'Resume', run: () => verbs.resume(id) }),
        this.#edit,
        button({ label: 'Drop', final: true, run: () => verbs.drop(id) }),
      )
    } else if (state !== 'done') {
      this.#retry = button({ label: 'Retry now', run: () => verbs.retryNow(id) })
      actions.append(this.#retry, button({ label: 'Drop', final: true, run: () => verbs.drop(id) }))
    }
    this.element = h(
      'tr',
      { role: 'row' },
      cell('', 'message', this.#title, this.#detail),
      cell('State', 'state', this.#badge, this.#next),
      this.#age,
      this.#attempts,
      this.#error,
      actions,
    )
  }

  show(message: Shown): void {
    this.#message = message
    this.#readAt = Date.now()
    const { state, attempt, maxAttempts, lastError = '', parked, outcome } = message
    setText(this.#title, titleOf(message))
    this.#edit.hidden = !isEditable(message.payload)
    if (!this.#detail.hidden) setText(this.#detail, detailOf(message))
    this.#badge.dataset['state'] = state
    setText(this.#badge, state)
    setText(this.#attempts, maxAttempts === undefined ? String(attempt) : `${attempt} of ${maxAttempts}`)
    const told = parked?.reason ?? (state === 'done' && outcome ? outcomeText(outcome) : lastError)
    setText(this.#error, cut(told, ERROR_LENGTH))
    if (this.#retry !== undefined) {
      // What was sent with a delay and never delivered does not wait for a retry.
      const hide = state !== 'delayed' || (attempt === 0 && lastError === '')
      if (hide && this.#retry.matches(':focus')) this.focus()
      this.#retry.hidden = hide
    }
    this.tick()
  }

  /** Lets the ages go on. Answers whether the message has come due, so that what is shown no longer holds. */
  tick(): boolean {
    const { state, timestamp, reason, nextInMs, deadAt, parked, outcome } = this.#message
    const since = deadAt ?? parked?.at ?? (state === 'done' ? outcome?.at : undefined) ?? timestamp
    const passed = Date.now() - this.#readAt
    setText(this.#age, duration(Date.now() - since))
    const left = nextInMs === undefined ? undefined : nextInMs - passed
    setText(this.#next, nextText(state, left, reason))
    return left !== undefined && left <= 0
  }

  focus(): void {
    this.#title.focus()
  }

  #toggle(): void {
    const open = this.#detail.hidden
    if (open) setText(this.#detail, detailOf(this.#message))
    this.#detail.hidden = !open
    this.#title.ariaExpanded = String(open)
  }
}

function nextText(state: string, left: number | undefined, reason: string | undefined): string {
  if (reason !== undefined) return reason
  if (left === undefined) return ''
  return state === 'leased' ? `${duration(left)} of lease left` : `due in ${duration(left)}`
}
