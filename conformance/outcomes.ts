import type { Body, DeadReason, StoredListedMessage as ListedMessage, Outcome } from '../src/core/index.ts'
import { equal, fail, ok, same, show } from './assert.ts'

/** What a message ended with in a group, as the model knows it. */
interface Kept {
  readonly outcome: Outcome
  readonly until: number
  /** `false`: that it is kept will be seen. */
  readonly sure: boolean
  /** Numbers the messages: which one of this id it is. */
  readonly message: object
}

/** The outcomes that are kept, of each group by the id of the message. */
export class Outcomes {
  readonly #groups: Map<string, Map<string, Kept>> = new Map()

  #of(group: string): Map<string, Kept> {
    let kept = this.#groups.get(group)
    if (kept === undefined) this.#groups.set(group, (kept = new Map()))
    return kept
  }

  acked(group: string, message: Ended, now: number, value: Body | undefined): void {
    this.#keep(group, message, { status: 'done', value, at: now }, now)
  }

  died(group: string, message: Ended, now: number, reason: DeadReason, error: string | undefined): void {
    this.#keep(group, message, { status: 'dead', reason, error, at: now }, now)
  }

  #keep(group: string, message: Ended, outcome: Outcome, now: number): void {
    const { id, keepMs, shadowed, superseded } = message
    if (keepMs === undefined || superseded) return
    this.#of(group).set(id, { outcome, until: now + keepMs, sure: !shadowed, message })
  }

  /** A message of the id was stored, or its dead letter was redriven in a group. */
  forget(id: string, group?: string): void {
    for (const [name, kept] of this.#groups) if (group === undefined || name === group) kept.delete(id)
  }

  /** What is known of the outcomes of an id will be seen. */
  doubt(id: string): void {
    for (const kept of this.#groups.values()) {
      const one = kept.get(id)
      if (one !== undefined) kept.set(id, { ...one, sure: false })
    }
  }

  deleteGroup(group: string): void {
    this.#groups.delete(group)
  }

  clear(): void {
    this.#groups.clear()
  }

  /** What `results` may say of an id. `running`: the progress there is; `open`: it may have died unseen. */
  check(
    group: string,
    id: string,
    actual: Outcome | undefined,
    now: number,
    { running, isRunning, open }: Progress,
  ): void {
    const kept = this.#groups.get(group)?.get(id)
    const what = `the result of ${id} in ${group}`
    if (actual?.status === 'running') {
      ok(running !== undefined, `${what} is ${show(actual)}, but there is no progress`)
      equal(actual, running, what)
      return
    }
    if (running !== undefined && isRunning) fail(`${what} is ${show(actual)}, it should be ${show(running)}`)
    const isKept = kept !== undefined && kept.until > now
    if (actual === undefined)
      ok(!isKept || !kept.sure || open, `${what} is not there: ${show(kept?.outcome)}`)
    else if (isKept && same(actual, kept.outcome)) return
    else
      ok(open && actual.status === 'dead', `${what} is ${show(actual)}, it should be ${show(kept?.outcome)}`)
  }

  /** Checks what a list of all states shows as `done`. `isDead`: whether the list shows a message as a dead letter. */
  checkListed(
    group: string,
    listed: readonly ListedMessage[],
    now: number,
    isDead: (message: object) => boolean,
    isOpen: (id: string) => boolean,
  ): void {
    const kept = this.#of(group)
    const seen = new Set<string>()
    for (const { id, body, state, outcome, receipt, reason, deadAt, nextInMs } of listed) {
      const what = `the list of ${group} shows ${id} as ${state}`
      ok(!seen.has(id), `${what} twice`)
      seen.add(id)
      equal([body, receipt, reason, deadAt, nextInMs], ['', undefined, undefined, undefined, undefined], what)
      const one = kept.get(id)
      if (one === undefined || one.until <= now || !same(one.outcome, outcome)) {
        ok(
          isOpen(id) && outcome?.status === 'dead',
          `${what} with ${show(outcome)}, kept is ${show(one?.outcome)}`,
        )
      } else ok(!isDead(one.message), `${what} and as a dead letter`)
    }
    for (const [id, { until, sure, message, outcome }] of kept) {
      const isShown = until <= now || !sure || isOpen(id) || isDead(message) || seen.has(id)
      ok(isShown, `the list of ${group} does not show ${id} as done: ${show(outcome)}`)
    }
  }
}

/** A message that ends in a group. */
export interface Ended {
  readonly id: string
  readonly keepMs: number | undefined
  readonly shadowed: boolean
  readonly superseded: boolean
}

export interface Progress {
  readonly running: Outcome | undefined
  readonly isRunning: boolean
  readonly open: boolean
}
