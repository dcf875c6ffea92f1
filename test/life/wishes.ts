/** What a person wanted a server to be told. */
export interface Wish {
  readonly n: number
  /** Of its message. */
  readonly id: string
  readonly owner: string
  readonly origin: string
  readonly key: string | undefined
  /** Which must be accepted before. */
  readonly after: Wish | undefined
  /** The server refuses it with this status, until it was edited. */
  readonly refusedWith: number | undefined
  /** `maybe`: the tab died over it. */
  stored: 'no' | 'maybe' | 'yes'
  storedAt: number
  /** Where and when it was asked for. */
  readonly tab: string
  readonly askedAt: number
  /** The person took it back, or dropped it with all that is theirs. */
  dropped: boolean
  /** In whose place it went: see {@link Wish.id}. */
  replacedBy: Wish | undefined
  /** Another request was put in its place, under the same id. */
  edited: boolean
  /** How often the server has done what it asks for: at least once means that it arrived. */
  done: number
  /** All that servers and networks made of it, in order. */
  readonly answers: string[]
  firstCallAt: number | undefined
}

/** What an attempt of it looks like. */
export function urlOf({ origin, n, after }: Wish): string {
  return `${origin}/notes/${n}${after === undefined ? '' : `/of/tmp-${after.n}`}`
}

export const NUMBER = 'x-number'
export const FIXED = 'x-fixed'

/** Whether one was asked for before the other, as far as anybody can tell: of two tabs at the same time nobody can. */
export function isBefore(one: Wish, other: Wish): boolean {
  return one.tab === other.tab ? one.n < other.n : one.askedAt + 5 < other.askedAt
}
