import { type StoredState, storedAnswer } from './answer.ts'

/** Somebody who waits for the answer to a request. */
export class Waiter {
  id = ''
  /** Tells what the request carries from what another one of the same id carried before. */
  version: string | undefined
  omitted: readonly (readonly [string, string])[] = []
  /** Until it is known what became of the request. `undefined`: it is being stored. */
  state: StoredState | undefined
  answer!: (response: Response) => void
  giveUp!: (reason: unknown) => void
  readonly promise: Promise<Response> = new Promise((resolve, reject) => {
    this.answer = resolve
    this.giveUp = reject
  })

  /** Answers in place of the server. */
  answerLater(state: StoredState = this.state ?? 'stored'): void {
    this.answer(storedAnswer(this.id, state))
  }
}
