import type { LaneState } from '../src/index.ts'
import { arrange, cell, h, setText } from './dom.ts'
import { holdText } from './hold-banner.ts'
import type { InspectedQueue } from './inspected-queue.ts'
import { duration } from './text.ts'
import { type Act, verbButton } from './verbs.ts'

const COLUMNS = ['Lane', 'Waiting', 'Leased', 'Flow', 'Actions']
const PAGE = 50

/** The lanes of a group, if it has any: what waits in them, which rest, and which are held. */
export class LaneList {
  readonly element: HTMLElement
  readonly #queue: InspectedQueue
  readonly #group: string
  readonly #act: Act
  readonly #body: HTMLTableSectionElement = h('tbody', { role: 'rowgroup' })
  readonly #heading: HTMLHeadingElement = h('h4', { tabIndex: -1 }, 'Lanes')
  readonly #more: HTMLButtonElement = h('button', { type: 'button', className: 'more' }, `Show ${PAGE} more`)
  readonly #rows: Map<string, LaneRow> = new Map()
  #limit = PAGE
  /** The storage has none. */
  #never = false

  constructor(queue: InspectedQueue, group: string, act: Act, hint: () => void) {
    this.#queue = queue
    this.#group = group
    this.#act = act
    this.#more.addEventListener('click', () => {
      this.#limit += PAGE
      hint()
    })
    const head = COLUMNS.map((name) => h('th', { role: 'columnheader', scope: 'col' }, name))
    this.element = h(
      'div',
      { className: 'list', hidden: true },
      this.#heading,
      h(
        'table',
        { role: 'table', ariaLabel: 'Lanes' },
        h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...head)),
        this.#body,
      ),
      this.#more,
    )
  }

  async load(): Promise<void> {
    if (this.#never) return
    try {
      const { lanes, cursor } = await this.#queue.lanes({ group: this.#group, limit: this.#limit })
      this.#show(lanes, cursor !== undefined)
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'UNSUPPORTED') throw error
      this.#never = true
    }
  }

  #show(lanes: readonly LaneState[], more: boolean): void {
    const names = new Set(lanes.map(({ lane }) => lane))
    const { activeElement } = this.element.getRootNode() as ShadowRoot
    const focused = activeElement !== null && this.#body.contains(activeElement)
    for (const name of this.#rows.keys()) if (!names.has(name)) this.#rows.delete(name)
    const rows = lanes.map((state) => {
      const row = this.#rows.get(state.lane) ?? new LaneRow(this.#queue, this.#group, state, this.#act)
      this.#rows.set(state.lane, row)
      row.show(state)
      return row.element
    })
    arrange(this.#body, rows)
    this.element.hidden = lanes.length === 0
    this.#more.hidden = !more
    if (focused && !activeElement.isConnected) this.#heading.focus()
  }

  /** Lets the time go on. Answers whether a lane may go again. */
  tick(): boolean {
    let due = false
    for (const row of this.#rows.values()) due = row.tick() || due
    return due
  }
}

class LaneRow {
  readonly element: HTMLTableRowElement
  readonly #waiting = cell('Waiting')
  readonly #leased = cell('Leased')
  readonly #flow = cell('Flow')
  readonly #hold: HTMLButtonElement
  readonly #release: HTMLButtonElement
  #state: LaneState
  #readAt = 0

  constructor(queue: InspectedQueue, group: string, state: LaneState, act: Act) {
    this.#state = state
    const { lane } = state
    const about = `lane ${lane} of group ${group}`
    this.#hold = verbButton(act, {
      label: 'Hold',
      about,
      run: async () => {
        await queue.hold({ group, lane })
        return `Lane ${lane} is held.`
      },
    })
    this.#release = verbButton(act, {
      label: 'Release',
      about,
      run: async () => {
        // One of this group, one of all groups, or both.
        for (const one of this.#state.holds) await queue.release({ group: one.group, lane })
        return `Lane ${lane} goes on.`
      },
    })
    const actions = cell('', 'actions', this.#hold, this.#release)
    const name = cell('', 'message', h('b', {}, lane))
    this.element = h('tr', { role: 'row' }, name, this.#waiting, this.#leased, this.#flow, actions)
  }

  show(state: LaneState): void {
    this.#state = state
    this.#readAt = Date.now()
    setText(this.#waiting, state.waiting.toLocaleString())
    setText(this.#leased, state.leased.toLocaleString())
    const isHeld = state.holds.length > 0
    const had = (isHeld ? this.#hold : this.#release).matches(':focus')
    this.#hold.hidden = isHeld
    this.#release.hidden = !isHeld
    if (had) (isHeld ? this.#release : this.#hold).focus()
    this.tick()
  }

  tick(): boolean {
    const { holds, restsForMs } = this.#state
    const passed = Date.now() - this.#readAt
    const held = holds.map((hold) => {
      const where = hold.group === undefined ? 'in all groups, ' : ''
      return `${where}${holdText(hold, hold.endsInMs === undefined ? undefined : hold.endsInMs - passed)}`
    })
    const left = restsForMs === undefined ? undefined : restsForMs - passed
    const rests = held.length === 0 && left !== undefined ? [`rests for ${duration(left)}`] : []
    setText(this.#flow, [...held, ...rests].join('; '))
    return left !== undefined && left <= 0
  }
}
