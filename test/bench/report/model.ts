// What a run leaves behind: plain data, kept in results.json. The tables that are printed while it runs, RESULTS.md and
// the plots are all made of it.

/**
 * `quayside` is what the goals are about, `peer` what they are measured against: same work, same durability. `other` does
 * less than the rest, and its `about` says what; `limit` is the least that the work can cost, `part` a variant of another.
 */
export type Role = 'quayside' | 'peer' | 'other' | 'limit' | 'part'

/** What one contestant did in a race. */
export interface Result {
  readonly name: string
  readonly role: Role
  /** In what it differs from the others, if that matters to the reader. */
  readonly about?: string | undefined
  /** Messages per second, one entry per round; all contestants of a race have the same number of rounds. */
  readonly rates: number[]
}

/** Two values of which the reader wants to know who is better. */
export interface Versus {
  readonly what: string
  readonly unit: 'messages/s' | 'ms' | 'bytes'
  readonly ours: number
  readonly peer: string
  readonly theirs: number
  /** How many times better quayside is: faster, sooner, smaller. */
  readonly better: number
  /** Why the peer is better, where it is. */
  readonly reason?: string | undefined
}

export type Block =
  | { readonly kind: 'text'; readonly text: string }
  /** Contestants by speed. `reasons` says why one is faster than quayside, by its name. */
  | {
      readonly kind: 'rates'
      readonly results: readonly Result[]
      readonly reasons: Readonly<Record<string, string>>
    }
  | {
      readonly kind: 'table'
      readonly head: readonly string[]
      readonly rows: readonly (readonly string[])[]
    }
  | {
      readonly kind: 'goal'
      readonly text: string
      readonly met: boolean | undefined
      readonly value: string
    }
  | { readonly kind: 'versus'; readonly versus: Versus }
  /** A plot; `name` is that of its file. */
  | { readonly kind: 'chart'; readonly name: string; readonly chart: Chart }

export type Chart = Bars | Lines | Spans

/** Horizontal bars, one panel under the other, each with a scale of its own. */
export interface Bars {
  readonly kind: 'bars'
  readonly title: string
  readonly subtitle: string
  readonly panels: readonly {
    readonly title: string
    readonly bars: readonly {
      readonly label: string
      readonly role: Role
      readonly value: number
      /** What stands behind the bar. */
      readonly text: string
      /** Least and greatest. */
      readonly spread?: readonly [number, number] | undefined
    }[]
  }[]
}

/** Curves on two logarithmic axes. */
export interface Lines {
  readonly kind: 'lines'
  readonly title: string
  readonly subtitle: string
  readonly x: string
  readonly series: readonly {
    readonly name: string
    readonly role: Role
    readonly points: readonly (readonly [number, number])[]
  }[]
}

/** From the median to the worst, in ms on a logarithmic axis. */
export interface Spans {
  readonly kind: 'spans'
  readonly title: string
  readonly subtitle: string
  readonly rows: readonly {
    readonly label: string
    readonly role: Role
    readonly p50: number
    readonly p90: number
    readonly p99: number
    readonly max: number
  }[]
}

/** What stands under one heading. */
export interface Part {
  readonly title: string
  readonly blocks: Block[]
}

/** Where and how a section was run. Nothing that tells whose machine it was. */
export interface Conditions {
  /** The day, as 2026-01-31. */
  readonly date: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGB: number
  readonly system: string
  readonly node: string
  readonly slices: number
  readonly sliceMs: number
}

export interface Section {
  readonly name: string
  readonly title: string
  readonly parts: Part[]
  conditions?: Conditions
  /** Why it did not run, or not to its end. */
  failed?: string
}

export interface Results {
  readonly sections: readonly Section[]
}
