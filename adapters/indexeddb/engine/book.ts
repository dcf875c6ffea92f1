import type { GroupStart } from '../../../src/storage.ts'
import { blockKey } from './keys.ts'
import { IDS, nextOf } from './lines.ts'
import type { Memory } from './memory.ts'
import type { Messages } from './messages.ts'
import { packQueue } from './pack.ts'
import {
  type Bundle,
  type Flow,
  type Group,
  type Known,
  type Lane,
  type Message,
  type Place,
  type Queue,
  hasReady,
  jobsOf,
  keepsOf,
  newFlow,
  newGroup,
} from './records.ts'
import { type Key, type Row, type Rows, sortable, under } from './rows.ts'
import type { Steps } from './steps.ts'
import { Table, sure } from './table.ts'

/** A clock that runs behind by more than this was set back. Less is what clocks of one machine differ by. */
const JUMP_MS = 1000

/** All that is known of a queue, as one transaction sees and changes it. */
export class Book extends Table {
  readonly messages: Messages
  now = 0
  readonly clock: number
  changed = false
  finished: string[] = []
  /** Others than before may be in a ring. */
  ringVersion = 0
  readonly #ahead: Map<Flow, { list: readonly Message[]; at: number; ended: boolean }> = new Map()
  /** What this step leases, by group. */
  readonly open: Map<number, Bundle> = new Map()

  constructor(rows: Rows, messages: Messages, steps: Steps, memory: Memory, clock: number, queue: Queue) {
    super(rows, steps, memory, queue)
    this.messages = messages
    this.clock = clock
    messages.top = Math.max(messages.top, queue.top)
    this.#readClock()
  }

  #readClock(): void {
    const { q, clock } = this
    const now = clock + q.skew
    if (now < q.latest - JUMP_MS) q.skew = q.latest - clock
    this.now = q.latest = Math.max(now, q.latest)
  }

  /** Writes what has changed. */
  finish(): void {
    const { q, rows } = this
    this.flush()
    this.messages.flush()
    q.top = this.messages.top
    q.near = [...this.near.values()]
    this.memory.near = this.near
    rows.queue.put(packQueue(q), 0)
  }

  // Messages

  /** At the end of the queue, where somebody may have found none. */
  add(message: Omit<Message, 'n'> & { n?: number }): Promise<Message> {
    this.#ahead.clear()
    return this.messages.add(message)
  }

  /** What was read at the cursor beforehand. */
  bring(flow: Flow, list: readonly Message[], ended: boolean): void {
    this.#ahead.set(flow, { list, at: 0, ended })
  }

  /** The first message of a lane that a group has not passed. `undefined`: there is none, or more than a step passes over. */
  async peek(flow: Flow, budget: { left: number }, wanted: number): Promise<Message | undefined> {
    const isPlain = flow.lane === ''
    for (;;) {
      let ahead = this.#ahead.get(flow)
      const { list: read = [] } = ahead ?? {}
      for (let i = ahead?.at ?? 0; i < read.length; i++) {
        const { n } = read[i]!
        const one = this.messages.known(n)
        if (n >= flow.cursor && one !== undefined) {
          if (one.only === undefined && (!isPlain || one.l === undefined)) return one
          // Of another lane, or back for those who had it: passed for good.
          flow.cursor = n + 1
          budget.left--
        }
        ahead!.at = i + 1
      }
      if (ahead?.ended === true || budget.left <= 0) return undefined
      const count = this.messages.chunk(wanted)
      const { l } = isPlain ? { l: '' } : { l: sortable(flow.lane) }
      const list = isPlain
        ? await this.messages.range(IDBKeyRange.lowerBound(flow.cursor), count)
        : await this.messages.indexed(IDBKeyRange.bound([l, flow.cursor], [l, Infinity]), count, 'l')
      ahead = { list, at: 0, ended: list.length < count }
      this.#ahead.set(flow, ahead)
    }
  }

  /** What was read at a cursor, and comes next. */
  coming(flow: Flow): readonly Message[] {
    const { list = [], at = 0 } = this.#ahead.get(flow) ?? {}
    return list.slice(at)
  }

  // What stands in lines

  /** What is ready, as far as this step knows: those that became so in it, or the first. */
  readonly #ready: Record<'again' | 'freed', Map<Flow, Place[]>> = { again: new Map(), freed: new Map() }
  /** Of those lists the ones that begin with the first. */
  readonly #inOrder: Set<Place[]> = new Set()

  /** The first that was delivered before and is ready, or that has waited behind its key. */
  async firstReady(
    { g }: Group,
    flow: Flow,
    kind: 'again' | 'freed',
    most: number,
  ): Promise<Place | undefined> {
    const count = flow[kind]
    if (count === 0) return undefined
    let list = this.#ready[kind].get(flow) ?? []
    for (; list[0]?.state !== 'ready' && list.length > 0;) list.shift()
    if (list.length === 0 || !this.#inOrder.has(list)) {
      list = list
        .filter(({ state, again }) => state === 'ready' && !again === (kind === 'freed'))
        .sort((a, b) => a.n - b.n)
      if (list.length < count) {
        const start: Key = [g, 'r', sortable(flow.lane), kind === 'again' ? 1 : 0]
        list = await this.line<Place>(under(start), this.messages.chunk(Math.min(most, count)))
      }
      await this.messages.load(list.map(({ n }) => n))
      this.#ready[kind].set(flow, list)
      this.#inOrder.add(list)
    }
    return sure(list[0])
  }

  /** Another one is ready. */
  readied(flow: Flow, place: Place): void {
    const all = this.#ready[place.again ? 'again' : 'freed']
    const list = (all.get(flow) ?? []).filter((one) => one !== place)
    all.set(flow, [...list, place])
  }

  // Groups, lanes, flows

  group(name: string): Group | undefined {
    return this.q.groups.find((group) => group.name === name)
  }

  async start(starts: readonly GroupStart[] = []): Promise<void> {
    for (const { name, from } of starts) if (this.group(name) === undefined) await this.startGroup(name, from)
  }

  /** The first of all gets what was sent before anybody listened. */
  async startGroup(name: string, from: GroupStart['from']): Promise<Group> {
    const { q } = this
    const isLatest = from === 'latest' && q.groups.length > 0
    const tail = await this.messages.tail()
    const g = ++q.numbers
    const first = isLatest ? tail + 1 : 0
    const group = newGroup(name, g, newToken(), first, isLatest ? tail - q.laned : q.ended)
    if (isLatest) Object.assign(group, { isLatest, sinceTie: q.ties, others: q.delayed })
    else {
      group.ahead = q.lanedLeft
      if (q.lanes > 0) group.walked = ''
    }
    q.groups.push(group)
    if (!isLatest) {
      // What has expired becomes its dead letter.
      if (q.lapsedTo[0] > -Infinity) q.lapse = -Infinity
      q.lapsedTo = [-Infinity, 0]
      // What others have yet to tidy away is not for it.
      for (const { to, toTie, isAll } of q.jobs) {
        if (!isAll) continue
        group.first = Math.max(group.first, to + 1)
        group.sinceTie = Math.max(group.sinceTie, toTie)
      }
      group.flow.cursor = Math.max(group.flow.cursor, group.first)
    }
    this.changed = true
    return group
  }

  async lane(name: string): Promise<Lane> {
    const k = ['n', sortable(name)]
    const known = await this.knownLane(name)
    if (known !== undefined) return known
    const lane = { k, name, size: 0, holds: 0, epoch: this.q.epoch }
    this.q.lanes++
    this.set(lane)
    return lane
  }

  async knownLane(name: string): Promise<Lane | undefined> {
    return this.fresh(await this.get<Lane>(['n', sortable(name)]))
  }

  /** What a lane had before a purge is gone. */
  fresh<T extends Lane | undefined>(lane: T): T {
    const { epoch } = this.q
    if (lane !== undefined && lane.epoch !== epoch) Object.assign(lane, { epoch, size: 0 })
    return lane
  }

  knownFlow({ g }: Group, name: string): Promise<Flow | undefined> {
    return this.get(['f', g, sortable(name)])
  }

  /** A group has a flow in a lane once anybody asks: what was in the lane by then was there before the group. */
  async flowOf(group: Group, name: string | undefined): Promise<Flow> {
    if (name === undefined || name === '') return group.flow
    const known = await this.knownFlow(group, name)
    if (known !== undefined) return known
    const { size = 0 } = (await this.knownLane(name)) ?? {}
    const flow = newFlow(['f', group.g, sortable(name)], name, group.first, group.isLatest ? 0 : size)
    this.offer(group, flow)
    this.set(flow)
    return flow
  }

  /** A message has its time until then. */
  expiresAt(x: number = Infinity): void {
    const { q } = this
    q.lapse = Math.min(q.lapse, x)
    if (x <= q.lapsedTo[0]) q.lapsedTo = [x, -Infinity]
  }

  /** A flow that has something to give is in the ring, unless it rests. */
  offer(group: Group, flow: Flow): void {
    if (flow === group.flow || flow.inRing || flow.resting || !hasReady(flow)) return
    flow.inRing = true
    this.ringVersion++
    this.set(flow)
  }

  /** Takes a flow out of the ring and out of time. */
  rest(group: Group, flow: Flow): void {
    if (flow === group.flow) return
    group.isEarly ||= flow.order < Infinity
    flow.inRing = false
    flow.order = Infinity
    this.set(flow)
  }

  wake(group: Group, flow: Flow): void {
    if (!flow.resting) return
    this.rest(group, flow)
    flow.resting = false
    this.offer(group, flow)
  }

  // Who is done with what

  /** The groups that have finished with a message, where there are several. */
  async doneBy(n: number): Promise<readonly number[]> {
    if (n < 0 || this.q.dones === 0) return []
    const row = await this.get<DoneRow>(doneKey(n))
    return row?.by[n] ?? []
  }

  async setDone(n: number, groups: readonly number[]): Promise<void> {
    const { q } = this
    if (q.dones === 0 && groups.length === 0) return
    const k = doneKey(n)
    const known = await this.get<DoneRow>(k)
    if (known === undefined && groups.length === 0) return
    const row = known ?? { k, by: {} }
    if (known === undefined) q.dones++
    if (groups.length > 0) row.by[n] = [...groups]
    else delete row.by[n]
    if (Object.keys(row.by).length > 0) return this.set(row)
    q.dones--
    this.remove(k)
  }

  /** Whether a group has a message to do. */
  async needs(group: Group, message: Message): Promise<boolean> {
    const { n, t, only } = message
    if (n < 0) return t! > group.sinceTie
    if (only !== undefined) return only.includes(group.g)
    return n >= group.first && !(await this.doneBy(n)).includes(group.g)
  }

  /** Whether anybody has a message to do, or could. */
  async isRetained(message: Message): Promise<boolean> {
    const { groups } = this.q
    const jobs = jobsOf(this.q, message)
    if (jobs.some(({ isAll }) => isAll)) return false
    if (groups.length === 0) return jobs.length === 0
    for (const group of groups) if (await this.needs(group, message)) return true
    return false
  }

  /** Whether a group has yet to come by a message that it needs. */
  async isAhead(group: Group, message: Message): Promise<boolean> {
    if (message.n < 0 || message.only !== undefined || !(await this.needs(group, message))) return false
    const { cursor } = await this.flowOf(group, message.lane)
    return message.n >= cursor && !(await this.isMarked(group, message.n))
  }

  /** Whether a message that a group has not passed is not ahead of it. */
  async isMarked(group: Group, n: number): Promise<boolean> {
    return group.marks > 0 && (await this.get(['m', group.g, n])) !== undefined
  }

  mark(group: Group, n: number): void {
    group.marks++
    this.set({ k: ['m', group.g, n] })
  }

  unmark(group: Group, n: number): void {
    group.marks--
    this.remove(['m', group.g, n])
  }

  /** The group has this message ahead no more. */
  async pass(group: Group, message: Message): Promise<void> {
    if (message.lane === undefined) group.past++
    else {
      const flow = await this.flowOf(group, message.lane)
      flow.ahead--
      group.ahead--
      this.set(flow)
    }
  }

  /** A message is over: all are done with it, or it is dropped. */
  async end(message: Ending, remembers: boolean, at: number = this.now): Promise<void> {
    const { q } = this
    const { n, lane, back, keeps } = message
    if (n < 0) {
      if (!back) q.delayed--
      if (!back) for (const group of q.groups) if ((message as Message).t! <= group.sinceTie) group.others--
    } else {
      await this.setDone(n, [])
      if (!back) {
        if (lane === undefined) q.ended++
        else {
          q.lanedLeft--
          const row = await this.lane(lane)
          row.size--
          this.set(row)
        }
      }
      for (const group of q.groups) if (await this.isMarked(group, n)) this.unmark(group, n)
    }
    if (remembers && keeps) {
      const { id, dedupeMs = 0 } = (await this.messages.get(n)) ?? {}
      if (id !== undefined && dedupeMs > 0) await this.remember(id, at + dedupeMs)
    }
    this.messages.delete(n)
    if (lane !== undefined) await this.tidy(lane)
  }

  /** Nothing is kept of lanes that are empty. */
  async tidy(name: string): Promise<void> {
    const lane = await this.knownLane(name)
    if (lane === undefined || lane.size > 0 || lane.holds > 0) return
    const flows: [Group, Flow][] = []
    for (const group of this.q.groups) {
      const flow = await this.knownFlow(group, name)
      if (flow !== undefined) flows.push([group, flow])
    }
    for (const [group, flow] of flows) {
      const stops = await this.range(
        IDBKeyRange.bound(['k', group.g, sortable(name)], ['k', group.g, sortable(name), []]),
        1,
      )
      if (flow.leased + flow.behind > 0 || stops.length > 0) return
      if (flow.full <= this.now) continue
      // Looked at again once its bucket is full.
      flow.resting = true
      flow.inRing = false
      flow.order = flow.full
      this.set(flow)
      return
    }
    for (const [, { k }] of flows) this.remove(k)
    this.q.lanes--
    this.remove(lane.k)
  }

  // Ids

  async remember(id: string, until: number): Promise<void> {
    const k = ['i', id]
    const before = await this.get<Known>(k)
    if (before !== undefined && before.until >= until) return
    this.due([IDS, 't', until])
    this.set({ k, until } as Known)
  }

  async isRemembered(id: string): Promise<boolean> {
    if (nextOf(this.q, IDS) === Infinity) return false
    return ((await this.get<Known>(['i', id]))?.until ?? 0) > this.now
  }

  /** Everything that a group has leased, by number. */
  async leases(group: Group | undefined): Promise<Map<number, Place>> {
    const all = new Map<number, Place>()
    if (group === undefined || group.counts.leased === 0) return all
    for await (const { places } of this.walk<Bundle>(['l', group.g]))
      for (const place of places) all.set(place.n, place)
    return all
  }

  /** What has a row of its own. */
  place({ g }: Group, n: number): Promise<Place | undefined> {
    return this.get(['p', g, n])
  }

  /** Reads at once where messages that follow one another are in a group. */
  async loadPlaces({ g }: Group, list: readonly Message[]): Promise<void> {
    const [first, last] = [list[0], list.at(-1)]
    if (first === undefined || first === last) return
    const range = IDBKeyRange.bound(['p', g, first.n], ['p', g, last!.n])
    const found = await this.range<Place>(range, list.length)
    // Between them there may be dead letters.
    const end = found.length < list.length ? Infinity : found.at(-1)!.n
    const known = new Map(found.map((place) => [place.n, place]))
    for (const { n } of list) if (n <= end) this.bringRow(['p', g, n], known.get(n))
  }

  /** Where a message is in a group that has passed it, or buried it before, unless it is leased. */
  async standing(group: Group, { n, lane = '', key }: Message): Promise<Place | undefined> {
    const own = await this.place(group, n)
    if (own !== undefined || key === undefined || group.counts.blocked === 0) return own
    const bundle = await this.get<Bundle>(blockKey(['k', group.g, sortable(lane), key], n))
    return bundle?.places.find((place) => place.n === n)
  }

  async placeIn(group: Group, message: Message): Promise<Place | undefined> {
    if (message.n < 0) return undefined
    const found = await this.standing(group, message)
    if (found !== undefined || !(await this.needs(group, message))) return found
    return (await this.leases(group)).get(message.n)
  }
}

/** Unlike that of any other group, also of one of another queue. */
function newToken(): string {
  return crypto.getRandomValues(new Uint32Array(2)).join('-')
}

/** What is known of a message that ends. */
export type Ending = {
  readonly n: number
  readonly lane?: string | undefined
  readonly keeps?: boolean | undefined
  readonly back?: boolean | undefined
}

export function ending({ q }: Book, message: Message): Ending {
  const isCounted = message.only === undefined && !jobsOf(q, message).some(({ isAll }) => isAll)
  return { ...message, keeps: keepsOf(message), back: !isCounted }
}

interface DoneRow extends Row {
  readonly by: Record<number, number[]>
}

function doneKey(n: number): Key {
  return ['d', Math.floor(n / 64)]
}
