import type { GroupStats, MessageState } from '../src/index.ts'
import { h, setText } from './dom.ts'

export const STATES: readonly Exclude<MessageState, 'done'>[] = [
  'ready',
  'leased',
  'delayed',
  'blocked',
  'parked',
  'dead',
]

/** The states of a group's messages: a bar in their proportions, and a legend with the numbers, which says it all. */
export class Bar {
  readonly element: HTMLElement
  readonly #parts: readonly { state: Exclude<MessageState, 'done'>; part: HTMLElement; number: HTMLElement }[]

  constructor() {
    this.#parts = STATES.map((state) => {
      const part = h('span')
      part.dataset['state'] = state
      return { state, part, number: h('b', {}, '0') }
    })
    this.element = h(
      'div',
      {},
      h('div', { className: 'bar', ariaHidden: 'true' }, ...this.#parts.map(({ part }) => part)),
      h(
        'ul',
        { className: 'legend', role: 'list' },
        ...this.#parts.map(({ state, number }) => {
          const swatch = h('i', { ariaHidden: 'true' })
          swatch.dataset['state'] = state
          return h('li', {}, number, ' ', h('span', {}, swatch, state))
        }),
      ),
    )
  }

  show(stats: GroupStats): void {
    for (const { state, part, number } of this.#parts) {
      const count = stats[state]
      part.style.flexGrow = String(count)
      part.hidden = count === 0
      setText(number, count.toLocaleString())
    }
  }
}
