import type { Message, NackOptions, ParkOptions, RejectOptions, Verdict } from '../../src/core/index.ts'
import { QuaysideError, errorText } from '../../src/errors.ts'

/** How one message of a batch ends. */
export interface End {
  /** It comes again. */
  readonly again: boolean
  /** It has not failed, and comes again after a time that the handler has chosen. */
  readonly later?: boolean
  readonly settle: () => Promise<void>
}

/**
 * How the messages of a batch end, in their order; `undefined`: they are acked.
 *
 * @throws {@link QuaysideError} `INVALID_ARGUMENT`: these are no verdicts on so many messages.
 */
export function endsOf<T>(
  messages: readonly Message<T>[],
  answer: unknown,
  onUnkept: (error: unknown) => void,
): readonly End[] | undefined {
  if (answer === undefined) return undefined
  const { length } = messages
  if (!Array.isArray(answer) || answer.length !== length)
    throw refused(`it returns nothing, or ${length} verdicts for ${length} messages`, answer)
  return messages.map((message, i) => endOf(message, answer[i] as Verdict, onUnkept))
}

function endOf<T>(message: Message<T>, verdict: Verdict, onUnkept: (error: unknown) => void): End {
  if (verdict === undefined) return { again: false, settle: () => message.ack() }
  if (verdict instanceof Error)
    return { again: true, settle: () => message.nack({ reason: errorText(verdict) }) }
  const { kind, ...options } = Object(verdict) as Exclude<Verdict, Error | undefined>
  switch (kind) {
    case 'ack':
      return { again: false, settle: () => ack(message, options, onUnkept) }
    case 'nack': {
      const { counts, delayMs = 0 } = options as NackOptions
      const later = counts === false && delayMs > 0
      return { again: true, later, settle: () => message.nack(options as NackOptions) }
    }
    case 'reject':
      return { again: false, settle: () => message.reject(options as RejectOptions) }
    case 'park':
      return { again: false, settle: () => message.park(options as ParkOptions) }
    default:
      throw refused('kind must be one of ack, nack, reject, park', kind ?? verdict)
  }
}

/** What cannot be kept as a result is not: the work is done, and must not be done again for that. */
async function ack<T>(
  message: Message<T>,
  options: object,
  onUnkept: (error: unknown) => void,
): Promise<void> {
  try {
    await message.ack(options)
  } catch (error) {
    if (!(error instanceof QuaysideError) || !UNKEPT.includes(error.code)) throw error
    onUnkept(error)
    await message.ack()
  }
}

const UNKEPT: readonly string[] = ['UNSERIALIZABLE', 'TOO_LARGE']

function refused(rule: string, value: unknown): QuaysideError {
  return new QuaysideError('INVALID_ARGUMENT', `onMessages: ${rule}, not ${JSON.stringify(value)}`)
}
