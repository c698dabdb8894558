/**
 * Traces of token requests (OpenTelemetry, sent as OTLP over HTTP), where the configuration asks for them; without
 * that, nothing here is loaded. A trace says which policies judged what and how long each stage took. It never
 * holds anything that the caller sent, and a collector that is away costs traces, never a request.
 */

import type { HrTime, Link, Span } from '@opentelemetry/api'
import type { TracerProviderOptions } from '@opentelemetry/sdk-trace'
import type { AuditEvent } from './audit.ts'
import type { TracesConfig } from './config/telemetry.ts'
import { type Ask, exchange, type Issued, type Rooms, type Stage } from './exchange.ts'
import type { Pace } from './pace.ts'
import type { Detail, Reason } from './refusal.ts'

/** One request that is traced. */
export interface Trace {
  /** Each call makes a child span of the time since the previous one. */
  lap(stage: Stage): void
  /** Takes over what the decision was about. */
  tell(event: AuditEvent): void
  /** Why it was refused, where no event says so: a form that could not be read. */
  refuse(reason: Reason | 'internal_error'): void
}

/** The traces of one broker. */
export interface Traces {
  /**
   * Begins the trace of a request, or not: the ratio decides, nobody else.
   * @param traceparent as sent (W3C Trace Context §3.2): linked, so that a caller can find its request here
   */
  begin(id: string, traceparent: string | undefined): void
  /** The trace of a request under way; undefined when it is not traced. */
  of(id: string): Trace | undefined
  /** Ends it. @param status of the HTTP answer */
  end(id: string, status: number): void
  /** Sends what is left, for two seconds at most. */
  close(): Promise<void>
}

/** What traces need. */
export type TracesOptions = TracesConfig & {
  readonly version: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** A monotonic clock, milliseconds. */
  readonly stopwatch: () => number
  readonly warn: (detail: Detail, sentence: string) => void
}

/** Spans that wait for the collector; further ones are dropped. */
const MAX_QUEUE = 2_048
/** Requests under way that are traced; each is forgotten when it has been answered. */
const MAX_OPEN = 4_096
const SEND_EVERY_MS = 5_000
const EXPORT_TIMEOUT_MS = 5_000
const CLOSE_WITHIN_MS = 2_000
const EXPORT_SUCCEEDED = 0

type Open = Trace & { end(status: number): void }

/** Loads OpenTelemetry and opens a tracer of our own: its global one belongs to whoever hosts us. */
export async function openTraces(options: TracesOptions): Promise<Traces> {
  const [api, sdk, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
  ])
  const collector = new OTLPTraceExporter({
    url: options.endpoint,
    timeoutMillis: EXPORT_TIMEOUT_MS,
    concurrencyLimit: 2,
  })
  const provider = new sdk.TracerProvider({
    resource: named('countersign', options.version),
    // A caller's sampled flag would let anyone have everything traced.
    sampler: new sdk.TraceIdRatioBasedSampler(options.ratio),
    spanProcessors: [
      new sdk.BatchSpanProcessor({
        exporter: watched(collector, options),
        maxQueueSize: MAX_QUEUE,
        scheduledDelayMillis: SEND_EVERY_MS,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    ],
  })
  const tracer = provider.getTracer('countersign', options.version)
  const open = new Map<string, Open>()
  return {
    begin(id, traceparent) {
      if (open.size >= MAX_OPEN) return
      const startedAt = options.now()
      const started = options.stopwatch()
      const instant = () => hrTime(startedAt + options.stopwatch() - started)
      const startTime = instant()
      const span = tracer.startSpan(
        'POST /token',
        { kind: api.SpanKind.SERVER, startTime, links: linksTo(traceparent) },
        api.ROOT_CONTEXT,
      )
      if (!span.isRecording()) return
      span.setAttribute('countersign.request_id', id)
      const inside = api.trace.setSpan(api.ROOT_CONTEXT, span)
      const stage = (name: string, from: HrTime, to: HrTime) =>
        tracer.startSpan(name, { startTime: from }, inside).end(to)
      open.set(id, traceOf(span, startTime, instant, stage))
    },
    of: (id) => open.get(id),
    end(id, status) {
      open.get(id)?.end(status)
      open.delete(id)
    },
    close: () => within(CLOSE_WITHIN_MS, provider.shutdown()),
  }
}

/**
 * The exchange of a broker that traces. A request without a trace goes the same way as in one that does not.
 */
export function traced(rooms: Rooms, traces: Traces): (ask: Ask) => Promise<Issued> {
  return (ask) => {
    const trace = traces.of(ask.id)
    if (trace === undefined) return exchange(rooms, ask)
    const pace: Pace<Stage> = async (stage, work) => {
      const result = await rooms.pace(stage, work)
      trace.lap(stage)
      return result
    }
    const record = (event: AuditEvent) => {
      trace.tell(event)
      return rooms.audit.record(event)
    }
    return exchange({ ...rooms, pace, audit: { ...rooms.audit, record } }, ask)
  }
}

function traceOf(
  span: Span,
  startTime: HrTime,
  instant: () => HrTime,
  stage: (name: string, from: HrTime, to: HrTime) => void,
): Open {
  let last = startTime
  return {
    lap(name) {
      const now = instant()
      stage(name, last, now)
      last = now
    },
    tell({ outcome, reason, question, decision }) {
      span.setAttribute('countersign.outcome', outcome)
      if (reason !== null) span.setAttribute('countersign.reason', reason)
      if (question !== null) {
        span.setAttribute('countersign.audience', question.audience)
        span.setAttribute('countersign.trust', question.actor.trust)
      }
      if (decision !== null) span.setAttribute('countersign.generation', decision.generation)
    },
    refuse: (reason) => span.setAttribute('countersign.reason', reason),
    end(status) {
      span.setAttribute('http.response.status_code', status)
      // 2 is ERROR: a fault of ours. A refusal is the work being done.
      if (status >= 500) span.setStatus({ code: 2 })
      span.end(instant())
    },
  }
}

/** W3C Trace Context §3.2.2: version, trace id, parent id, flags. Anything else is as if it were not there. */
function linksTo(traceparent: string | undefined): Link[] {
  const [, traceId, spanId, flags = ''] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent ?? '') ?? []
  if (traceId === undefined || spanId === undefined) return []
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return []
  const traceFlags = Number.parseInt(flags, 16) & 1
  return [{ context: { traceId, spanId, traceFlags, isRemote: true } }]
}

type Exporter = ConstructorParameters<
  typeof import('@opentelemetry/sdk-trace').BatchSpanProcessor
>[0]['exporter']

/** Says so once when the collector stops taking spans, and again only after it has taken some. */
function watched(collector: Exporter, { warn, endpoint }: TracesOptions): Exporter {
  let failing = false
  return {
    export(spans, done) {
      collector.export(spans, (result) => {
        const failed = result.code !== EXPORT_SUCCEEDED
        if (failed && !failing) {
          const problem = result.error?.message ?? 'no answer'
          warn({ endpoint, problem }, 'traces cannot be sent; requests are served without them')
        }
        failing = failed
        done(result)
      })
    },
    shutdown: () => collector.shutdown(),
  }
}

/** The entity that spans are about. The package that makes these is not one of our dependencies. */
function named(name: string, version: string): NonNullable<TracerProviderOptions['resource']> {
  const attributes = { 'service.name': name, 'service.version': version }
  const resource = {
    attributes,
    merge: () => resource,
    getRawAttributes: () =>
      Object.entries(attributes).map(([key, value]) => [key, value] as [string, string]),
  }
  return resource
}

function hrTime(milliseconds: number): HrTime {
  const seconds = Math.floor(milliseconds / 1000)
  return [seconds, Math.round((milliseconds - seconds * 1000) * 1e6)]
}

async function within(limitMs: number, work: Promise<void>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, limitMs)
  await Promise.race([work.catch(() => undefined), late])
  clearTimeout(timer)
}
