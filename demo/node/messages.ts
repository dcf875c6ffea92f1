// What the processes of the demo tell each other.

export type FromIngest =
  | { readonly type: 'ready'; readonly url: string; readonly openMs: number; readonly stats: IngestStats }
  | { readonly type: 'stats'; readonly stats: IngestStats }
  /** Something worth a line. */
  | { readonly type: 'news'; readonly text: string }
  /** The last word: the first few dead letters, as text. */
  | { readonly type: 'finished'; readonly dead: readonly string[] }

export interface IngestStats {
  /** Messages in the queue since it exists. */
  readonly stored: number
  /** Not delivered yet. */
  readonly waiting: number
  /** Not in the audit file yet. */
  readonly unaudited: number
  /** Deliveries that failed. */
  readonly retried: number
  readonly dead: number
}

export type FromDownstream =
  | { readonly type: 'ready'; readonly url: string }
  /** How many different messages have arrived. */
  | { readonly type: 'arrived'; readonly messages: number }

export interface FromClient {
  /** Lines that were answered with 202. */
  readonly accepted: number
  /** Requests that were made again. */
  readonly repeated: number
  /** Lines that were in the queue already when they were accepted. */
  readonly duplicates: number
  /** Lines that the server will never take, and why. */
  readonly refused: readonly string[]
  readonly done: boolean
}

export type ToIngest = 'finish'
export type ToDownstream = 'down' | 'up' | 'finish'
/** Where the ingest server is from now on. */
export type ToClient = string
