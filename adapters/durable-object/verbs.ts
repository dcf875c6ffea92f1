import type { QueueStorage } from '../../src/storage.ts'

/** What a caller can have an object do: each is one call. `true`: it changes nothing, whatever becomes of the call. */
export const VERBS: Readonly<Record<Verb, boolean>> = {
  append: false,
  claim: false,
  settle: false,
  list: true,
  stats: true,
  results: true,
  lanes: true,
  resume: false,
  hold: false,
  release: false,
  cancel: false,
  retryNow: false,
  deleteGroup: false,
  purge: false,
  delete: false,
}

export type Verb = Exclude<keyof QueueStorage, 'watch' | 'close' | 'atOnce' | 'hasPlaces'>
