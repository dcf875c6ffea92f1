/** What a producer tells main.ts. */
export type FromProducer =
  /** These are stored. */
  { readonly type: 'sent'; readonly ids: readonly string[] } | { readonly type: 'finished' }

/** What a worker tells main.ts. */
export type FromWorker =
  /** It has these in hand, and works on them. */
  | { readonly type: 'got'; readonly ids: readonly string[] }
  /** Its acks of these were accepted. */
  | { readonly type: 'done'; readonly ids: readonly string[] }
  /** Its acks of these came too late: somebody else has had them since. */
  | { readonly type: 'refused'; readonly ids: readonly string[] }
