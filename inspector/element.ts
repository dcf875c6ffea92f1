import type { GroupStats, Hold, QueueStats } from '../src/index.ts'
import { STATES } from './bar.ts'
import { arrange, h, setText } from './dom.ts'
import { Editor } from './editor.ts'
import { GroupView } from './group-view.ts'
import { HoldBanner } from './hold-banner.ts'
import type { InspectedQueue } from './inspected-queue.ts'
import { Live } from './live.ts'
import { styleSheet } from './style-sheet.ts'
import { bytes, errorText, plural } from './text.ts'
import type { Act } from './verbs.ts'

/** Where there is no DOM, importing this must not fail. */
const Base: typeof HTMLElement = globalThis.HTMLElement ?? Object

/** What changes without a hint (a delay that is over, a storage that cannot watch) is looked for this often, in seconds. */
const LOOK_EVERY = 5
const NO_GROUP: GroupStats = {
  ready: 0,
  leased: 0,
  delayed: 0,
  blocked: 0,
  parked: 0,
  dead: 0,
  acked: 0,
  failed: 0,
}

/**
 * `<quayside-inspector>`: a queue to look at and to put right, live from any tab.
 *
 * Give it a {@link QuaysideInspector.queue}. It shows all groups, or the one of its `group` attribute. It reads only while
 * it is seen. Colours, fonts and corners are CSS custom properties (`--quayside-…`); it follows the colour scheme of the
 * system unless `color-scheme` is set on it.
 *
 * ```ts
 * import 'quayside/inspector'
 *
 * const inspector = document.createElement('quayside-inspector')
 * inspector.queue = queue
 * document.body.append(inspector)
 * ```
 */
export class QuaysideInspector extends Base {
  static readonly observedAttributes: readonly string[] = ['group']
  readonly #root: ShadowRoot = this.attachShadow({ mode: 'open' })
  readonly #name: HTMLHeadingElement = h('h2')
  readonly #totals: HTMLParagraphElement = h('p', { className: 'facts' })
  readonly #head: HTMLElement = h('header', {}, this.#name, this.#totals)
  readonly #groups: HTMLDivElement = h('div', { className: 'groups' })
  readonly #status: HTMLParagraphElement = h('p', { role: 'status', ariaLive: 'polite', className: 'unseen' })
  readonly #failure: HTMLParagraphElement = h('p', { role: 'alert', className: 'failure' })
  readonly #loadFailure: HTMLParagraphElement = h('p', { role: 'alert', className: 'failure' })
  readonly #editor: Editor = new Editor()
  readonly #all: HTMLDivElement = h(
    'div',
    {},
    this.#head,
    this.#failure,
    this.#loadFailure,
    this.#groups,
    this.#status,
    this.#editor.element,
  )
  #views: Map<string, GroupView> = new Map()
  #queue: InspectedQueue | undefined
  #held: HoldBanner | undefined
  #unwatch: (() => void) | undefined
  #live: Live | undefined
  #ticks = 0
  /** The messages may have changed, whatever the counts say. */
  #hinted = true
  /** The counts that the lists were read with. */
  #counts = ''
  /** The counts in words, to be told when there is a pause. */
  #news = ''

  constructor() {
    super()
    this.#root.adoptedStyleSheets = [styleSheet()]
    this.#root.append(this.#all)
  }

  /** The queue to look at. Setting another one, or `undefined`, lets go of the one before; nothing is closed. */
  get queue(): InspectedQueue | undefined {
    return this.#queue
  }

  set queue(queue: InspectedQueue | undefined) {
    this.#stop()
    this.#queue = queue
    this.#start()
  }

  /** The consumer group to show, as in the attribute. `undefined`: all of them. */
  get group(): string | undefined {
    return this.getAttribute('group') ?? undefined
  }

  set group(group: string | undefined) {
    if (group === undefined) this.removeAttribute('group')
    else this.setAttribute('group', group)
  }

  /** @internal */
  connectedCallback(): void {
    // A property that was set before the element was defined hides the accessor.
    if (Object.hasOwn(this, 'queue')) {
      const { queue } = this
      delete (this as { queue?: unknown }).queue
      this.queue = queue
    } else this.#start()
  }

  /** @internal */
  disconnectedCallback(): void {
    this.#stop()
  }

  /** @internal */
  attributeChangedCallback(): void {
    this.#hint()
  }

  readonly #hint = (): void => {
    this.#hinted = true
    this.#live?.hint()
  }

  #start(): void {
    if (this.#queue === undefined || !this.isConnected || this.#live !== undefined) return
    setText(this.#name, this.#queue.name)
    this.#all.classList.toggle('read-only', this.#queue.readOnly === true)
    this.#held = new HoldBanner(this.#queue, {}, 'The queue', this.#act)
    this.#head.append(this.#held.button)
    this.#head.after(this.#held.element)
    this.#live = new Live(
      this,
      () => this.#refresh(),
      () => this.#tick(),
    )
    try {
      this.#unwatch = this.#queue.watch(this.#hint)
    } catch (error) {
      setText(this.#loadFailure, errorText(error))
    }
  }

  #stop(): void {
    this.#live?.stop()
    this.#editor.element.close()
    this.#unwatch?.()
    this.#held?.button.remove()
    this.#held?.element.remove()
    this.#live = this.#unwatch = this.#held = undefined
    this.#views = new Map()
    this.#groups.replaceChildren()
    this.#counts = this.#news = ''
    this.#hinted = true
    for (const part of [this.#name, this.#totals, this.#failure, this.#loadFailure, this.#status])
      setText(part, '')
  }

  async #refresh(): Promise<void> {
    const queue = this.#queue!
    const hinted = this.#hinted
    this.#hinted = false
    try {
      const stats = await queue.stats()
      if (queue !== this.#queue) return
      const groups = this.#groupsOf(stats)
      const views = new Map(
        groups.map(([group]) => [group, this.#views.get(group) ?? this.#view(queue, group)]),
      )
      const counts = [...groups.map(countsOf), ...stats.holds.map(heldOf)].join(' ')
      if (hinted || counts !== this.#counts)
        await Promise.all(groups.map(([group, own]) => views.get(group)!.load(own)))
      if (queue !== this.#queue) return
      const holdOf = (group?: string): Hold | undefined =>
        stats.holds.find((hold) => hold.lane === undefined && hold.group === group)
      this.#held!.show(holdOf())
      for (const [group, groupStats] of groups) views.get(group)!.show(groupStats, holdOf(group))
      this.#views = views
      arrange(
        this.#groups,
        Array.from(views.values(), ({ element }) => element),
      )
      setText(this.#totals, totalsOf(stats) + (queue.readOnly ? ' · read only' : ''))
      setText(this.#loadFailure, '')
      if (counts !== this.#counts) this.#news = counts
      this.#counts = counts
    } catch (error) {
      if (queue !== this.#queue) return
      this.#hinted = true
      setText(this.#loadFailure, `The queue cannot be read: ${errorText(error)}`)
    }
  }

  #groupsOf({ groups, messages }: QueueStats): [string, GroupStats][] {
    const { group } = this
    const all = Object.entries(groups)
    if (group !== undefined) return [[group, groups[group] ?? NO_GROUP]]
    // Before there is any group, all messages wait for the first.
    return all.length > 0 ? all : [['default', { ...NO_GROUP, ready: messages }]]
  }

  #view(queue: InspectedQueue, group: string): GroupView {
    return new GroupView(queue, group, this.#act, this.#hint, this.#editor)
  }

  #tick(): void {
    let due = false
    for (const view of [...this.#views.values(), this.#held]) due = view?.tick() || due
    const pause = ++this.#ticks % LOOK_EVERY === 0
    if (due) this.#hint()
    else if (pause) this.#live?.hint()
    if (pause && this.#news !== '') {
      setText(this.#status, this.#news)
      this.#news = ''
    }
  }

  readonly #act: Act = (work) => {
    setText(this.#failure, '')
    setText(this.#status, '') // the same words twice are news too
    work()
      .then(
        (text) => setText(this.#status, text),
        (error) => setText(this.#failure, errorText(error)),
      )
      .finally(this.#hint)
  }
}

function totalsOf({ messages, bytes: size, sent }: QueueStats): string {
  return `${plural(messages, 'message')} · ${bytes(size)} · ${sent.toLocaleString()} sent`
}

function countsOf([group, counts]: [string, GroupStats]): string {
  return `Group ${group}: ${STATES.map((state) => `${counts[state]} ${state}`).join(', ')}.`
}

function heldOf({ group, lane, probing }: Hold): string {
  const place = [group !== undefined && `group ${group}`, lane !== undefined && `lane ${lane}`]
  const what = place.filter(Boolean).join(', ') || 'the queue'
  return `${probing ? 'Trying' : 'Held'}: ${what}.`
}
