import { causesOf } from './causes.ts'
import { arrange, cell, h, setText } from './dom.ts'
import type { InspectedQueue } from './inspected-queue.ts'
import { duration, plural } from './text.ts'
import { type Act, verbButton } from './verbs.ts'

const COLUMNS = ['Error', 'Dead letters', 'Last', 'Actions']

/** What the dead letters of a group died of. Read only while it is unfolded. */
export class CauseList {
  readonly element: HTMLDetailsElement
  readonly #queue: InspectedQueue
  readonly #group: string
  readonly #act: Act
  readonly #body: HTMLTableSectionElement = h('tbody', { role: 'rowgroup' })
  readonly #summary: HTMLElement = h('summary', {}, 'Dead letters by error')
  readonly #rows: Map<string, CauseRow> = new Map()

  constructor(queue: InspectedQueue, group: string, act: Act, hint: () => void) {
    this.#queue = queue
    this.#group = group
    this.#act = act
    const head = COLUMNS.map((name) => h('th', { role: 'columnheader', scope: 'col' }, name))
    this.element = h(
      'details',
      { hidden: true },
      this.#summary,
      h(
        'table',
        { role: 'table', ariaLabel: 'Dead letters by error' },
        h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...head)),
        this.#body,
      ),
    )
    this.element.addEventListener('toggle', () => this.element.open && hint())
  }

  async load(dead: number): Promise<void> {
    // Of a single one the list says it all.
    this.element.hidden = dead < 2
    if (this.element.hidden || !this.element.open) return
    const causes = await causesOf(this.#queue, this.#group)
    const { activeElement } = this.element.getRootNode() as ShadowRoot
    const focused = activeElement !== null && this.#body.contains(activeElement)
    const errors = new Set(causes.map(({ error }) => error))
    for (const error of this.#rows.keys()) if (!errors.has(error)) this.#rows.delete(error)
    const rows = causes.map((cause) => {
      const row =
        this.#rows.get(cause.error) ?? new CauseRow(this.#queue, this.#group, this.#act, cause.error)
      this.#rows.set(cause.error, row)
      row.show(cause)
      return row.element
    })
    arrange(this.#body, rows)
    if (focused && !activeElement.isConnected) this.#summary.focus()
  }
}

class CauseRow {
  readonly element: HTMLTableRowElement
  readonly #count = cell('Dead letters')
  readonly #last = cell('Last')
  #ids: readonly string[] = []

  constructor(queue: InspectedQueue, group: string, act: Act, error: string) {
    const about = `those with ${error}`
    const redrive = verbButton(act, {
      label: 'Redrive',
      about,
      run: async () =>
        `${plural(await queue.deadLetters(group).redrive(this.#ids), 'dead letter')} redriven.`,
    })
    const remove = verbButton(act, {
      label: 'Delete',
      about,
      final: true,
      run: async () => `${plural(await queue.deadLetters(group).delete(this.#ids), 'dead letter')} deleted.`,
    })
    this.element = h(
      'tr',
      { role: 'row' },
      cell('', 'message', h('b', {}, error || '(no error)')),
      this.#count,
      this.#last,
      cell('', 'actions', redrive, remove),
    )
  }

  show({ ids, lastAt }: { readonly ids: readonly string[]; readonly lastAt: number }): void {
    this.#ids = ids
    setText(this.#count, ids.length.toLocaleString())
    setText(this.#last, `${duration(Date.now() - lastAt)} ago`)
  }
}
