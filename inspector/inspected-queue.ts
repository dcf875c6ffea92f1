import type {
  DeadLetter,
  HoldPlace,
  LanesPage,
  ListOptions,
  ListPage,
  ListedMessage,
  QueueStats,
} from '../src/index.ts'

/** What the inspector needs of a queue. Every `Queue` has it, whatever its payloads. */
export interface InspectedQueue {
  readonly name: string
  /** Whether it can only be looked at: then nothing is offered that changes it. @defaultValue false */
  readonly readOnly?: boolean | undefined
  stats(): Promise<QueueStats>
  list(options: ListOptions): Promise<ListPage<ListedMessage<unknown>>>
  deadLetters(group: string): {
    list(options: {
      bodies?: boolean | undefined
      limit: number
      cursor?: string | undefined
    }): Promise<ListPage<DeadLetter<unknown>>>
    redrive(ids?: readonly string[]): Promise<number>
    delete(ids?: readonly string[]): Promise<number>
  }
  cancel(ids: readonly string[]): Promise<boolean[]>
  retryNow(ids: readonly string[] | undefined, options: { group: string }): Promise<number>
  resume(ids: readonly string[], options: { group: string }): Promise<boolean[]>
  edit(id: string, payload: never, options: EditRequest): Promise<boolean>
  hold(place: HoldPlace): Promise<void>
  release(place: HoldPlace): Promise<boolean>
  lanes(options: { group: string; limit: number; cursor?: string | undefined }): Promise<LanesPage>
  watch(listener: () => void): () => void
}

/** In which group, and what else it is sent with. */
export interface EditRequest {
  readonly group: string
  readonly headers: Readonly<Record<string, string>>
  readonly maxAttempts: number | undefined
}

/** A message of either kind, as the lists show it. */
export type Shown = ListedMessage<unknown> & Partial<Pick<DeadLetter<unknown>, 'reason' | 'deadAt'>>
