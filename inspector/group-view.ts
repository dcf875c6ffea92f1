import type { GroupStats } from '../src/index.ts'
import { Bar } from './bar.ts'
import { h, setText } from './dom.ts'
import { download } from './export.ts'
import type { InspectedQueue } from './inspected-queue.ts'
import { MessageList } from './message-list.ts'
import type { RowVerbs } from './message-row.ts'
import { duration, plural } from './text.ts'
import { type Act, verbButton } from './verbs.ts'

/** One consumer group: its counts, its messages, its dead letters, and what can be done about them. */
export class GroupView {
  readonly element: HTMLElement
  readonly #queue: InspectedQueue
  readonly #group: string
  readonly #bar = new Bar()
  readonly #facts: HTMLParagraphElement = h('p', { className: 'facts' })
  readonly #retryAll: HTMLButtonElement
  readonly #redriveAll: HTMLButtonElement
  readonly #dead: MessageList
  readonly #waiting: MessageList

  constructor(queue: InspectedQueue, group: string, act: Act, hint: () => void) {
    this.#queue = queue
    this.#group = group
    const verbs: RowVerbs = {
      retryNow: async (id) =>
        told(await queue.retryNow([id], { group }), 'is due now', 'was not waiting for a retry'),
      drop: async (id) =>
        told((await queue.cancel([id])).filter(Boolean).length, 'was dropped', 'was no longer there'),
      redrive: async (id) =>
        told(await queue.deadLetters(group).redrive([id]), 'was redriven', 'was no longer there'),
      remove: async (id) =>
        told(await queue.deadLetters(group).delete([id]), 'was deleted', 'was no longer there'),
    }
    const about = `of group ${group}`
    this.#retryAll = verbButton(act, {
      label: 'Retry all now',
      about,
      run: async () => `${plural(await queue.retryNow(undefined, { group }), 'message')} due now.`,
    })
    this.#redriveAll = verbButton(act, {
      label: 'Redrive all',
      about,
      run: async () => `${plural(await queue.deadLetters(group).redrive(), 'dead letter')} redriven.`,
    })
    const save = verbButton(act, {
      label: 'Export as JSON',
      about,
      run: async () => `${plural(await download(queue, group), 'message')} exported.`,
    })
    this.#dead = new MessageList('Dead letters', act, verbs, hint)
    this.#waiting = new MessageList('Messages', act, verbs, hint)
    this.element = h(
      'section',
      { className: 'group', ariaLabel: `Group ${group} of ${queue.name}` },
      h(
        'div',
        { className: 'head' },
        h('h3', {}, h('span', { className: 'kind' }, 'group '), group),
        h('div', { className: 'actions' }, this.#retryAll, this.#redriveAll, save),
      ),
      this.#bar.element,
      this.#facts,
      this.#dead.element,
      this.#waiting.element,
    )
  }

  /** Reads the messages and shows them. */
  async load(): Promise<void> {
    const group = this.#group
    const [waiting, dead] = await Promise.all([
      this.#queue.list({ group, limit: this.#waiting.limit }),
      this.#queue.deadLetters(group).list({ limit: this.#dead.limit }),
    ])
    this.#waiting.show(waiting.messages, waiting.cursor !== undefined)
    this.#dead.show(dead.messages, dead.cursor !== undefined)
  }

  show(stats: GroupStats): void {
    this.#bar.show(stats)
    setText(this.#facts, factsOf(stats))
    this.#retryAll.hidden = stats.delayed === 0
    this.#redriveAll.hidden = stats.dead === 0
  }

  /** Lets the ages go on. Answers whether a message has come due. */
  tick(): boolean {
    const due = this.#waiting.tick()
    return this.#dead.tick() || due
  }
}

function told(count: number, done: string, not: string): string {
  return `The message ${count > 0 ? done : not}.`
}

function factsOf({ oldestMs, acked, failed }: GroupStats): string {
  const facts = [`${acked.toLocaleString()} acked`, plural(failed, 'failed attempt')]
  if (oldestMs !== undefined) facts.unshift(`oldest ${duration(oldestMs)}`)
  return facts.join(' · ')
}
