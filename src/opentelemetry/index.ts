/**
 * **quayside/opentelemetry**: traces and metrics of a queue for OpenTelemetry.
 *
 * ```ts
 * import * as api from '@opentelemetry/api'
 * import { Queue } from 'quayside'
 * import { openTelemetry } from 'quayside/opentelemetry'
 *
 * const queue = new Queue('orders', { instrumentation: openTelemetry(api) })
 * ```
 *
 * @module
 */
import { type Check, checkObject, mustHave } from '../check.ts'
import type { Instrumentation, ObservedMessage, Operation } from '../index.ts'
import type { Context, Link, OpenTelemetryApi, SpanContext } from './api.ts'
import { commonAttributes, errorType, messageAttributes } from './attributes.ts'
import { Metrics } from './metrics.ts'

export type { OpenTelemetryApi } from './api.ts'

/** By what the package is known. */
const PARTS: Readonly<Record<keyof OpenTelemetryApi, Check>> = {
  trace: mustHave('getTracer'),
  metrics: mustHave('getMeter'),
  context: mustHave('active', 'with'),
  propagation: mustHave('inject', 'extract'),
  // Its default export has no more than those.
  ROOT_CONTEXT: checkObject,
  SpanKind: checkObject,
  SpanStatusCode: checkObject,
}

/** The instrumentation scope of tracer and meter. */
const SCOPE = 'quayside'

/**
 * An instrumentation that makes spans and metrics of what a queue does.
 *
 * | span | kind | parent | links to the creation contexts of |
 * |---|---|---|---|
 * | `send orders` | producer | the active span | messages that had one already |
 * | `receive orders` | client | the active span | what was received |
 * | `process orders` | consumer | the span that is active around `run` or `drain`; else the creation context of the message, unless it is a batch | what is processed |
 * | `ack`, `nack`, `reject`, `park`, `extend`, `settle orders` | client | the active span | what is settled |
 *
 * **Context** travels in the headers of messages, in the format of the propagator that the program has set up:
 * `traceparent` and `tracestate` in W3C's. The creation context of a message is that of the span that sent it, or what its
 * headers had when they were given to `send`, which is not changed. Handlers of `run` and `drain` run inside their
 * process span, if the program has a context manager.
 *
 * **Metrics**: `messaging.client.sent.messages`, `messaging.client.consumed.messages`, and in seconds
 * `messaging.client.operation.duration`, `messaging.process.duration`.
 *
 * **Errors** set the status of the span and `error.type`, here and in the metrics: the `code` of the error if it has one, as
 * every `QuaysideError` has, else its name; `_OTHER` for what is no error.
 *
 * Set up the SDK before the queue is used: instruments that were made before stay without effect.
 *
 * @param api The package `@opentelemetry/api`, version 1.9 or later: `import * as api from '@opentelemetry/api'`.
 * @throws {@link QuaysideError} `INVALID_ARGUMENT`: it is something else.
 * @see OpenTelemetry Semantic Conventions 1.45.0, "Semantic conventions for messaging spans" and "… messaging client
 * metrics" (status: development), https://github.com/open-telemetry/semantic-conventions/tree/v1.45.0/docs/messaging. Of
 * what they leave open: a batch has no span for the creation of each message; `messaging.system` is `quayside`;
 * `messaging.quayside.storage` is the name of the storage, `messaging.quayside.message.delivery_attempt` the attempt,
 * `messaging.quayside.message.lane` the lane: of spans about one message, and never of metrics, as lanes may be many.
 * @example
 * ```ts
 * import * as api from '@opentelemetry/api'
 *
 * new Queue('orders', { instrumentation: openTelemetry(api) })
 * ```
 */
export function openTelemetry(api: OpenTelemetryApi): Instrumentation {
  checkObject('openTelemetry', 'api, the package @opentelemetry/api,', api)
  for (const [name, check] of Object.entries(PARTS))
    check('openTelemetry', `api.${name}`, api[name as keyof OpenTelemetryApi])
  const { context, propagation, trace, ROOT_CONTEXT, SpanKind, SpanStatusCode } = api
  let metrics: Metrics | undefined

  const spanOf = (at: Context): SpanContext | undefined => {
    const span = trace.getSpanContext(at)
    return span !== undefined && trace.isSpanContextValid(span) ? span : undefined
  }

  const linksTo = (messages: readonly ObservedMessage[]): Link[] =>
    messages
      .map(({ headers }) => spanOf(propagation.extract(ROOT_CONTEXT, headers)))
      .filter((span) => span !== undefined)
      .map((span) => ({ context: span }))

  const hasContext = ({ headers }: ObservedMessage): boolean =>
    propagation.fields().some((field) => Object.hasOwn(headers, field))

  const parentOf = ({ name, batch, messages }: Operation): Context => {
    const active = context.active()
    if (name !== 'process' || batch || spanOf(active) !== undefined) return active
    return propagation.extract(active, messages[0]!.headers)
  }

  const kindOf = (name: Operation['name'], created: number): number => {
    if (name === 'process') return SpanKind.CONSUMER
    return created > 0 ? SpanKind.PRODUCER : SpanKind.CLIENT
  }

  return async (operation, run) => {
    metrics ??= new Metrics(api.metrics.getMeter(SCOPE))
    const { name, queue, storage, messages } = operation
    const created = name === 'send' ? messages.filter((message) => !hasContext(message)) : []
    const attributes = commonAttributes(operation)
    const parent = parentOf(operation)
    const span = trace.getTracer(SCOPE).startSpan(
      `${name} ${queue}`,
      {
        kind: kindOf(name, created.length),
        attributes: {
          ...attributes,
          'messaging.quayside.storage': storage,
          ...messageAttributes(operation),
        },
        links: linksTo(messages),
      },
      parent,
    )
    const inside = trace.setSpan(parent, span)
    for (const { headers } of created) propagation.inject(inside, headers)
    const startedAt = performance.now()
    try {
      const result = await context.with(inside, run)
      if (name === 'send' || name === 'receive') span.setAttributes(messageAttributes(operation))
      if (name === 'receive') span.addLinks(linksTo(messages))
      return result
    } catch (error) {
      attributes['error.type'] = errorType(error)
      span.setAttributes({ 'error.type': errorType(error) })
      span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : '' })
      span.recordException(error)
      throw error
    } finally {
      metrics.record(operation, performance.now() - startedAt, attributes, inside)
      span.end()
    }
  }
}
