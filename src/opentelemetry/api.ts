/**
 * What is used of `@opentelemetry/api`, from its version 1.9 on. The package itself is handed in, so that nobody needs it
 * who does not use it, and so that it is the very one that the program has set up.
 */
export interface OpenTelemetryApi {
  readonly trace: {
    getTracer(name: string): Tracer
    getSpanContext(context: Context): SpanContext | undefined
    setSpan(context: Context, span: Span): Context
    isSpanContextValid(context: SpanContext): boolean
  }
  readonly metrics: { getMeter(name: string): Meter }
  readonly context: {
    active(): Context
    with<R>(context: Context, run: () => R): R
  }
  readonly propagation: {
    inject(context: Context, carrier: Record<string, string>): void
    extract(context: Context, carrier: Record<string, string>): Context
    fields(): string[]
  }
  readonly ROOT_CONTEXT: Context
  readonly SpanKind: { readonly CLIENT: number; readonly PRODUCER: number; readonly CONSUMER: number }
  readonly SpanStatusCode: { readonly ERROR: number }
}

// oxlint-disable-next-line typescript/no-explicit-any -- It is only handed on, and must fit what the package calls so.
export type Context = any

export interface SpanContext {
  traceId: string
  spanId: string
  traceFlags: number
}

export type Attributes = Record<string, string | number>

export interface Link {
  context: SpanContext
}

export interface Span {
  setAttributes(attributes: Attributes): unknown
  addLinks(links: Link[]): unknown
  setStatus(status: { code: number; message?: string }): unknown
  // oxlint-disable-next-line typescript/no-explicit-any -- Takes errors of every kind.
  recordException(error: any): void
  end(): void
}

export interface Tracer {
  startSpan(
    name: string,
    options: { kind: number; attributes: Attributes; links: Link[] },
    parent: Context,
  ): Span
}

export interface Counter {
  add(value: number, attributes: Attributes, context: Context): void
}

export interface Histogram {
  record(value: number, attributes: Attributes, context: Context): void
}

export interface MetricOptions {
  description: string
  unit: string
  advice?: { explicitBucketBoundaries?: number[] }
}

export interface Meter {
  createCounter(name: string, options: MetricOptions): Counter
  createHistogram(name: string, options: MetricOptions): Histogram
}
