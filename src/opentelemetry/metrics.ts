import type { Operation } from '../index.ts'
import type { Attributes, Context, Counter, Histogram, Meter } from './api.ts'

/** In seconds, as the conventions have them. */
const BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

/** The instruments of the messaging conventions. */
export class Metrics {
  readonly #sent: Counter
  readonly #consumed: Counter
  readonly #operations: Histogram
  readonly #processing: Histogram

  constructor(meter: Meter) {
    const duration = (name: string, description: string): Histogram =>
      meter.createHistogram(name, {
        description,
        unit: 's',
        advice: { explicitBucketBoundaries: BOUNDARIES },
      })
    const messages = (name: string, description: string): Counter =>
      meter.createCounter(name, { description, unit: '{message}' })
    this.#sent = messages('messaging.client.sent.messages', 'Messages that a producer tried to send.')
    this.#consumed = messages(
      'messaging.client.consumed.messages',
      'Messages that were delivered to the application.',
    )
    this.#operations = duration(
      'messaging.client.operation.duration',
      'How long it took to send, receive or settle messages.',
    )
    this.#processing = duration('messaging.process.duration', 'How long it took to process a message.')
  }

  /** An operation has ended. */
  record({ name, messages }: Operation, ms: number, attributes: Attributes, context: Context): void {
    const duration = name === 'process' ? this.#processing : this.#operations
    duration.record(ms / 1000, attributes, context)
    if (name === 'send') this.#sent.add(messages.length, attributes, context)
    // A message of `run` or `drain` is delivered when its handler is called.
    const delivers = name === 'receive' || name === 'process'
    if (delivers && messages.length > 0) this.#consumed.add(messages.length, attributes, context)
  }
}
