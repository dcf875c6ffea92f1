import * as api from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  AggregationTemporality,
  type DataPoint,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { onTestFinished } from 'vitest'

/** One point of a metric, with what it was measured with. */
export type Point = DataPoint<number | Histogram>

export interface Sdk {
  /** The spans that have ended, in the order of their ends. */
  spans(): ReadableSpan[]
  span(name: string): ReadableSpan
  /** The points of a metric. */
  metric(name: string): Promise<{ unit: string; points: readonly Point[] }>
  readonly tracer: api.Tracer
}

/** Sets up the real SDK, as a program does at its start; takes it down when the test is over. */
export function startSdk(): Sdk {
  const finished = new InMemorySpanExporter()
  const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 3_600_000 })
  const meters = new MeterProvider({ readers: [reader] })
  const tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(finished)] })
  api.trace.setGlobalTracerProvider(tracers)
  api.metrics.setGlobalMeterProvider(meters)
  api.context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  api.propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  onTestFinished(async () => {
    for (const part of [api.trace, api.metrics, api.context, api.propagation]) part.disable()
    await Promise.all([tracers.shutdown(), meters.shutdown()])
  })
  const spans = (): ReadableSpan[] => finished.getFinishedSpans()
  return {
    spans,
    span(name) {
      const found = spans().filter((span) => span.name === name)
      if (found.length !== 1) throw new Error(`${found.length} spans are called ${name}`)
      return found[0]!
    },
    async metric(name) {
      measured.reset()
      await reader.forceFlush()
      const all = measured
        .getMetrics()
        .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((one) => one.metrics))
      const found = all.find(({ descriptor }) => descriptor.name === name)
      if (found === undefined) return { unit: '', points: [] }
      return { unit: found.descriptor.unit, points: found.dataPoints as readonly Point[] }
    },
    tracer: api.trace.getTracer('test'),
  }
}
