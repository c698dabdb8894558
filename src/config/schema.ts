/**
 * The shape of `countersign.yaml`: the types, the bounds and the defaults. What one setting means for
 * another is in the readers beside this file. No `anyOf`: a message must name the one thing to mend.
 */

import Type, { type Static, type TObject, type TSchema } from 'typebox'
import { UsersSettings } from '../../attestors/users/index.ts'
import type { AttestorKind } from '../identity.ts'
import { DURATION_PATTERN, SIZE_PATTERN } from '../units.ts'
import { AdminSettings } from './admin.ts'
import { ChainingSettings, TransactionsSettings } from './chaining.ts'
import { duration, filePath, NAME, NAME_TITLE, named, port, strict, text } from './parts.ts'
import { StoreSettings } from './store.ts'
import { TelemetrySettings } from './telemetry.ts'
import type { PinPolicy } from './trust.ts'

/** What stands where a setting is left out. */
export const DEFAULTS = {
  listen: { host: '0.0.0.0', port: 8443, bodyLimit: '64KiB', clientCertHeader: 'bind' },
  rotateEvery: '30d',
  retention: '7d',
  maxTtl: '15m',
  pin: 'off',
  maxDepth: 4,
} as const

const zone = text('An IANA time zone, such as Europe/Berlin')

const listen = Type.Object(
  {
    host: Type.Optional(Type.String({ minLength: 1, default: DEFAULTS.listen.host })),
    port: Type.Optional(port(DEFAULTS.listen.port)),
    tls: Type.Optional(
      Type.Object(
        {
          cert: filePath('Certificate chain'),
          key: filePath('Its private key'),
          clientCertificates: Type.Optional(
            Type.Enum(['off', 'request'], {
              default: 'off',
              description:
                'request: asks callers for a certificate, and binds their tokens to it (RFC 8705); who has none is served all the same',
            }),
          ),
          clientCa: Type.Optional(
            filePath(
              'Only certificates of these authorities bind tokens (PEM); others are refused. Without, every one that its caller holds the key of does. X.509-SVIDs are judged by the bundle of their trust domain. Implies clientCertificates: request',
            ),
          ),
        },
        {
          ...strict,
          description:
            'PEM files, read again when they change. Without: plain HTTP, behind a TLS proxy',
        },
      ),
    ),
    bodyLimit: Type.Optional(
      Type.String({
        pattern: SIZE_PATTERN,
        default: DEFAULTS.listen.bodyLimit,
        description: 'The longest form that the token endpoint reads. From 16KiB to 1MiB',
      }),
    ),
    trustedProxies: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: 64,
        description: 'CIDRs whose X-Forwarded-For and Client-Cert are believed',
      }),
    ),
    clientCertHeader: Type.Optional(
      Type.Enum(['bind', 'identify', 'ignore'], {
        default: DEFAULTS.listen.clientCertHeader,
        description:
          'What Client-Cert (RFC 9440) from trustedProxies is good for: bind tokens; identify: prove keys and show X.509-SVIDs too, where every one of these proxies removes the header from what it receives; ignore: nothing',
      }),
    ),
    linger: Type.Optional(
      Type.String({
        pattern: DURATION_PATTERN,
        description:
          'How long requests are still served after SIGTERM, while /readyz says no; at most 5m. Without: not at all',
      }),
    ),
  },
  strict,
)

const keys = Type.Object(
  {
    algorithm: Type.Optional(Type.Enum(['ES256'])),
    rotateEvery: Type.Optional(duration(DEFAULTS.rotateEvery, 'From 1h to 366d')),
    secret: Type.Optional(
      Type.String({
        writeOnly: true,
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the notation of the file
        description: '${file:…} or ${env:…}, at least 32 characters',
      }),
    ),
  },
  strict,
)

const audit = Type.Object(
  {
    file: Type.Optional(filePath('Where AuditEvents are appended; standard output without it')),
    retention: Type.Optional(
      duration(DEFAULTS.retention, 'How long /decisions answers; 1h to 366d'),
    ),
  },
  strict,
)

const resource = Type.Object(
  {
    audience: text('The absolute URI of a resource server, as tokens name it in `aud`'),
    scopes: Type.Optional(Type.Array(Type.String(), { maxItems: 1000 })),
    groups: Type.Optional(
      Type.Array(Type.String({ pattern: NAME, title: NAME_TITLE }), {
        maxItems: 100,
        description: 'Audience groups it is in: AudienceGroup::"…" in policies',
      }),
    ),
    maxTtl: Type.Optional(duration(DEFAULTS.maxTtl, 'From 30s to 24h')),
    format: Type.Optional(Type.Enum(['jwt', 'opaque'])),
    sender: Type.Optional(Type.Enum(['bearer', 'dpop', 'mtls'])),
    servedBy: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: 100,
        description:
          'Workloads behind it, such as k8s://cluster/ns/namespace/sa/name: they may introspect its tokens',
      }),
    ),
    from: Type.Optional(
      Type.Record(
        Type.String({ minLength: 1, maxLength: 2048 }),
        Type.Record(Type.String(), Type.Array(Type.String(), { maxItems: 1000 })),
        {
          ...strict,
          description:
            'What the scopes of a token for another audience may become here, by that audience and scope',
        },
      ),
    ),
    claims: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_.:/-]{0,127}$' }),
        Type.Object(
          {
            fact: Type.String({
              pattern: '^[a-z][A-Za-z0-9]*(\\.[A-Za-z0-9_./-]+)*$',
              title: 'the name of a fact, such as namespaceLabels.team',
            }),
            grade: Type.Enum(['A', 'B', 'C', 'D']),
          },
          strict,
        ),
        strict,
      ),
    ),
  },
  strict,
)

const calendar = Type.Object(
  {
    dates: Type.Optional(Type.Array(Type.String(), { maxItems: 10_000 })),
    file: Type.Optional(filePath('An iCalendar file (RFC 5545) of all-day events')),
    zone: Type.Optional(zone),
  },
  { ...strict, description: 'Either dates or file; zone where not just one is in policies.zones' },
)

const geo = Type.Object(
  {
    file: filePath('A country or city database in the format of MaxMind (.mmdb)'),
    asn: Type.Optional(filePath('A database of autonomous systems in the same format')),
  },
  { ...strict, description: 'Where addresses are, for context.geo; read again when it changes' },
)

const policies = Type.Object(
  {
    path: filePath('The folder of *.cedar files'),
    maxStale: Type.Optional(
      Type.String({
        pattern: DURATION_PATTERN,
        description:
          'How long policies stay in force while newer ones are refused; then everything is refused. For ever without it; 1m to 366d',
      }),
    ),
    geo: Type.Optional(geo),
    zones: Type.Optional(Type.Array(zone, { maxItems: 100 })),
    calendars: Type.Optional(named(calendar)),
    groups: Type.Optional(named(Type.Array(Type.String(), { maxItems: 10_000 }))),
  },
  strict,
)

/** Settings that an entry of any kind may have beside its own. */
const common = {
  environment: Type.Optional(Type.String({ pattern: NAME, title: NAME_TITLE })),
  audience: Type.Optional(text('The sole `aud` accepted; the issuer, or a URL below it')),
  pin: Type.Optional(
    Type.Enum(['off', 'when-offered', 'required'], {
      default: DEFAULTS.pin,
      description:
        'Ties a platform token to the key that it is first used with. required: refuses those used without one',
    }),
  ),
}

const delegation = Type.Object(
  {
    maxDepth: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10,
        default: DEFAULTS.maxDepth,
        description: 'The most actors that the chain of a token may have',
      }),
    ),
    agents: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: 10_000,
        description:
          'Workloads that tokens call ai_agent (others: service), as ServiceAccount::"…"',
      }),
    ),
  },
  { ...strict, description: 'How far authority may be handed on' },
)

const fixed = {
  issuer: text('The exact URL of this server, without a trailing slash'),
  listen: Type.Optional(listen),
  admin: Type.Optional(AdminSettings),
  store: Type.Optional(StoreSettings),
  keys: Type.Optional(keys),
  audit: Type.Optional(audit),
  telemetry: Type.Optional(TelemetrySettings),
  resources: Type.Array(resource, { minItems: 1, maxItems: 10_000 }),
  policies,
  users: Type.Optional(Type.Array(UsersSettings, { maxItems: 100 })),
  delegation: Type.Optional(delegation),
  chaining: Type.Optional(Type.Array(ChainingSettings, { maxItems: 100 })),
  transactions: Type.Optional(TransactionsSettings),
}

/** The settings as written; each trust entry is still `{ <kind>: settings }`. */
export type RawSettings = Static<TObject<typeof fixed>> & {
  readonly trust: readonly Readonly<Record<string, unknown>>[]
}

/** What the common settings look like in a trust entry, once the schema has held. */
export type RawTrustCommon = {
  readonly environment?: string
  readonly audience?: string
  readonly pin?: PinPolicy
}

/** Parts of the settings, as written. */
export type RawCalendar = Static<typeof calendar>
export type RawPolicies = Static<typeof policies>
export type RawResource = Static<typeof resource>

/**
 * The JSON Schema of `countersign.yaml`; editors and the Helm chart use the same one.
 * @param kinds the attestors that a trust entry may name
 */
export function settingsSchema(kinds: readonly AttestorKind<unknown>[]): TSchema {
  const entry = Type.Object(
    Object.fromEntries(kinds.map(({ kind, schema }) => [kind, Type.Optional(withCommon(schema))])),
    { ...strict, minProperties: 1, maxProperties: 1 },
  )
  return Type.Object(
    { ...fixed, trust: Type.Array(entry, { minItems: 1, maxItems: 1000 }) },
    { ...strict, title: 'Countersign configuration' },
  )
}

function withCommon(schema: TSchema): TSchema {
  const { properties, ...rest } = { properties: {}, ...schema }
  return { ...rest, properties: { ...properties, ...common } }
}
