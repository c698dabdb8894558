/** The settings of traces. Nothing is traced, and nothing of it loaded, without them. */

import Type, { type Static } from 'typebox'
import { type Findings, quote } from './findings.ts'
import { strict, text } from './parts.ts'

const DEFAULT_RATIO = 0.1

const traces = Type.Object(
  {
    endpoint: text('Where a collector takes OTLP over HTTP: http://collector:4318/v1/traces'),
    ratio: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        default: DEFAULT_RATIO,
        description: 'The part of token requests that is traced, from 0 to 1',
      }),
    ),
  },
  strict,
)

/** JSON Schema of `telemetry`. */
export const TelemetrySettings = Type.Object(
  { traces: Type.Optional(traces) },
  { ...strict, description: 'OpenTelemetry' },
)

/** Where traces go, and of how many requests. */
export type TracesConfig = {
  readonly endpoint: string
  /** From 0 (none) to 1 (all). */
  readonly ratio: number
}

/** `traces` is null for none. */
export type TelemetryConfig = { readonly traces: TracesConfig | null }

export function readTelemetry(
  raw: Static<typeof TelemetrySettings> | undefined,
  find: Findings,
): TelemetryConfig {
  const at = ['telemetry', 'traces']
  const written = find.part(raw, ['telemetry'], 'traces')
  const endpoint = find.part(written, at, 'endpoint')
  if (endpoint === undefined) return { traces: null }
  const url = URL.parse(endpoint)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    find.error([...at, 'endpoint'], `is ${quote(endpoint)}, not an http or https URL`)
  } else if (url.username !== '' || url.password !== '') {
    find.error([...at, 'endpoint'], 'must not hold a user name or password')
  }
  return { traces: { endpoint, ratio: find.part(written, at, 'ratio') ?? DEFAULT_RATIO } }
}
