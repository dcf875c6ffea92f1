import { arrange, h } from './dom.ts'
import type { Shown } from './inspected-queue.ts'
import { MessageRow, type RowVerbs } from './message-row.ts'
import type { Act } from './verbs.ts'

const COLUMNS = ['Message', 'State', 'Age', 'Attempts']
const PAGE = 50

/** A table of messages that grows by a page at a time. */
export class MessageList {
  readonly element: HTMLElement
  /** How many to read. */
  limit: number = PAGE
  readonly #body: HTMLTableSectionElement = h('tbody', { role: 'rowgroup' })
  readonly #heading: HTMLHeadingElement
  readonly #more: HTMLButtonElement = h('button', { type: 'button', className: 'more' }, `Show ${PAGE} more`)
  readonly #rows: Map<string, MessageRow> = new Map()
  readonly #makeRow: (message: Shown) => MessageRow

  /** @param told What is told of each: its last error, or why it is parked. */
  constructor(heading: string, told: string, act: Act, verbs: RowVerbs, hint: () => void) {
    this.#heading = h('h4', { tabIndex: -1 }, heading)
    this.#makeRow = (message) => new MessageRow(message, told, act, verbs)
    this.#more.addEventListener('click', () => {
      this.limit += PAGE
      hint()
    })
    const head = [...COLUMNS, told, 'Actions'].map((name) =>
      h('th', { role: 'columnheader', scope: 'col' }, name),
    )
    this.element = h(
      'div',
      { className: 'list' },
      this.#heading,
      h(
        'table',
        { role: 'table', ariaLabel: heading },
        h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...head)),
        this.#body,
      ),
      this.#more,
    )
  }

  show(messages: readonly Shown[], more: boolean): void {
    const { activeElement } = this.element.getRootNode() as ShadowRoot
    const focusedAt = [...this.#body.children].findIndex((row) => row.contains(activeElement))
    const ids = new Set(messages.map(({ id }) => id))
    for (const id of this.#rows.keys()) if (!ids.has(id)) this.#rows.delete(id)
    for (const message of messages) {
      const row = this.#rows.get(message.id) ?? this.#makeRow(message)
      this.#rows.set(message.id, row)
      row.show(message)
    }
    const rows = messages.map(({ id }) => this.#rows.get(id)!)
    arrange(
      this.#body,
      rows.map(({ element }) => element),
    )
    this.element.hidden = messages.length === 0
    this.#more.hidden = !more
    if (focusedAt < 0) return
    if (activeElement!.isConnected) (activeElement as HTMLElement).focus() // it may have been moved
    else (rows[Math.min(focusedAt, rows.length - 1)] ?? this).focus()
  }

  tick(): boolean {
    let due = false
    for (const row of this.#rows.values()) due = row.tick() || due
    return due
  }

  focus(): void {
    this.#heading.focus()
  }
}
