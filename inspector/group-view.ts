import type { GroupStats, Hold, ListPage, MessageState } from '../src/index.ts'
import { Bar } from './bar.ts'
import { h, setText } from './dom.ts'
import { CauseList } from './cause-list.ts'
import type { Editor } from './editor.ts'
import { download } from './export.ts'
import { HoldBanner } from './hold-banner.ts'
import type { InspectedQueue, Shown } from './inspected-queue.ts'
import { LaneList } from './lane-list.ts'
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
  readonly #resumeAll: HTMLButtonElement
  readonly #held: HoldBanner
  readonly #lanes: LaneList
  readonly #parked: MessageList
  readonly #done: MessageList
  /** Read only while it is unfolded. */
  readonly #results: HTMLDetailsElement
  readonly #causes: CauseList
  readonly #dead: MessageList
  readonly #waiting: MessageList

  constructor(queue: InspectedQueue, group: string, act: Act, hint: () => void, editor: Editor) {
    this.#queue = queue
    this.#group = group
    const verbs: RowVerbs = {
      retryNow: async (id) =>
        told(await queue.retryNow([id], { group }), 'is due now', 'was not waiting for a retry'),
      drop: async (id) =>
        told((await queue.cancel([id])).filter(Boolean).length, 'was dropped', 'was no longer there'),
      resume: async (id) =>
        told((await queue.resume([id], { group })).filter(Boolean).length, 'is due now', 'was not parked'),
      redrive: async (id) =>
        told(await queue.deadLetters(group).redrive([id]), 'was redriven', 'was no longer there'),
      remove: async (id) =>
        told(await queue.deadLetters(group).delete([id]), 'was deleted', 'was no longer there'),
      edit: ({ id, payload, headers, maxAttempts }) =>
        editor.open(`Edit ${id}`, payload, async (next) => {
          // What it was sent with stays, but for what it says.
          if (!(await queue.edit(id, next as never, { group, headers, maxAttempts })))
            throw new Error('The message is no longer parked.')
          act(() => Promise.resolve('The message is due now, with what it says from now on.'))
        }),
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
    this.#resumeAll = verbButton(act, {
      label: 'Resume all',
      about,
      run: async () => `${plural(await resumeAll(queue, group), 'message')} resumed.`,
    })
    const save = verbButton(act, {
      label: 'Export as JSON',
      harmless: true,
      about,
      run: async () => `${plural(await download(queue, group), 'message')} exported.`,
    })
    this.#held = new HoldBanner(queue, { group }, `Group ${group}`, act)
    this.#lanes = new LaneList(queue, group, act, hint)
    this.#parked = new MessageList('Parked', 'Reason', act, verbs, hint)
    this.#causes = new CauseList(queue, group, act, hint)
    this.#dead = new MessageList('Dead letters', 'Last error', act, verbs, hint)
    this.#waiting = new MessageList('Messages', 'Last error', act, verbs, hint)
    this.#done = new MessageList('Done', 'Result', act, verbs, hint)
    this.#results = h('details', {}, h('summary', {}, 'Results that are kept'), this.#done.element)
    this.#results.addEventListener('toggle', () => this.#results.open && hint())
    this.element = h(
      'section',
      { className: 'group', ariaLabel: `Group ${group} of ${queue.name}` },
      h(
        'div',
        { className: 'head' },
        h('h3', {}, h('span', { className: 'kind' }, 'group '), group),
        h(
          'div',
          { className: 'actions' },
          this.#retryAll,
          this.#resumeAll,
          this.#redriveAll,
          this.#held.button,
          save,
        ),
      ),
      this.#bar.element,
      this.#facts,
      this.#held.element,
      this.#lanes.element,
      this.#parked.element,
      this.#causes.element,
      this.#dead.element,
      this.#waiting.element,
      this.#results,
    )
  }

  /** Reads the messages and shows them. */
  async load(stats: GroupStats): Promise<void> {
    const group = this.#group
    const list = (limit: number, ...state: MessageState[]): Promise<ListPage<Shown>> =>
      this.#queue.list({ group, state, limit })
    const [waiting, dead, parked, done] = await Promise.all([
      list(this.#waiting.limit, 'ready', 'leased', 'delayed', 'blocked'),
      this.#queue.deadLetters(group).list({ limit: this.#dead.limit }),
      stats.parked > 0 ? list(this.#parked.limit, 'parked') : NONE,
      this.#results.open ? list(this.#done.limit, 'done') : NONE,
      this.#lanes.load(),
      this.#causes.load(stats.dead),
    ])
    this.#waiting.show(
      waiting.messages.filter((message) => !isNote(this.#queue, message)),
      waiting.cursor !== undefined,
    )
    this.#dead.show(dead.messages, dead.cursor !== undefined)
    this.#parked.show(parked.messages, parked.cursor !== undefined)
    this.#done.show(done.messages, done.cursor !== undefined)
  }

  show(stats: GroupStats, hold: Hold | undefined): void {
    this.#held.show(hold)
    this.#bar.show(stats)
    setText(this.#facts, factsOf(stats))
    this.#retryAll.hidden = stats.delayed === 0
    this.#redriveAll.hidden = stats.dead === 0
    this.#resumeAll.hidden = stats.parked === 0
  }

  /** Lets the ages go on. Answers whether a message has come due. */
  tick(): boolean {
    this.#dead.tick()
    this.#parked.tick()
    return [this.#waiting.tick(), this.#held.tick(), this.#lanes.tick()].includes(true)
  }
}

/** What schedules note for themselves beside those that somebody made: their names have no line break. */
function isNote({ name }: InspectedQueue, { id }: Shown): boolean {
  return name.endsWith('.schedules') && id.startsWith('\n')
}

const NONE: ListPage<Shown> = { messages: [], cursor: undefined }
const PAGE = 200

async function resumeAll(queue: InspectedQueue, group: string): Promise<number> {
  const ids: string[] = []
  let cursor: string | undefined
  do {
    const page = await queue.list({ group, state: 'parked', bodies: false, limit: PAGE, cursor })
    ids.push(...page.messages.map(({ id }) => id))
    cursor = page.cursor
  } while (cursor !== undefined)
  return (await queue.resume(ids, { group })).filter(Boolean).length
}

function told(count: number, done: string, not: string): string {
  return `The message ${count > 0 ? done : not}.`
}

function factsOf({ oldestMs, acked, failed }: GroupStats): string {
  const facts = [`${acked.toLocaleString()} acked`, plural(failed, 'failed attempt')]
  if (oldestMs !== undefined) facts.unshift(`oldest ${duration(oldestMs)}`)
  return facts.join(' · ')
}
