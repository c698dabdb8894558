/**
 * The settings of the admin listener. On a loopback address it asks nobody who they are; anywhere else it
 * needs TLS, the names by which it is called, and `auth`: who may ask, and what.
 */

import Type, { type Static } from 'typebox'
import { type Findings, quote, type SettingPath } from './findings.ts'
import { filePath, port, strict, text } from './parts.ts'
import { hostFault, isLoopback } from './uris.ts'

/** What stands where a setting is left out. */
export const ADMIN_DEFAULTS = { host: '127.0.0.1', port: 9443 } as const

const callers = (description: string) =>
  Type.Optional(
    Type.Array(text('Exactly as the API server or the certificate names it'), {
      maxItems: 1000,
      description,
    }),
  )

const tokenreview = Type.Object(
  {
    inCluster: Type.Optional(
      Type.Literal(true, { description: 'The API server of the cluster that we run in' }),
    ),
    kubeconfig: Type.Optional(filePath('A kubeconfig for another API server')),
    context: Type.Optional(text('Context in the kubeconfig. Default: its current one')),
    audience: Type.Optional(
      text('The audience that a caller’s token must have. Default: <issuer>/admin'),
    ),
  },
  { ...strict, description: 'Callers show a token of a service account; the API server judges it' },
)

const auth = Type.Object(
  {
    allow: Type.Object(
      { metrics: callers('Who may read /metrics'), decisions: callers('Who may read /decisions') },
      {
        ...strict,
        description:
          'With tokenreview: user names such as system:serviceaccount:monitoring:prometheus; with clientCa: DNS:… or URI:…, as in the certificate',
      },
    ),
    tokenreview: Type.Optional(tokenreview),
    clientCa: Type.Optional(filePath('Callers show a certificate of this authority (PEM)')),
  },
  { ...strict, description: 'Who may ask. Either tokenreview or clientCa' },
)

/** JSON Schema of `admin`. */
export const AdminSettings = Type.Object(
  {
    host: Type.Optional(Type.String({ minLength: 1, default: ADMIN_DEFAULTS.host })),
    port: Type.Optional(port(ADMIN_DEFAULTS.port)),
    tls: Type.Optional(
      Type.Object(
        { cert: filePath('Certificate chain'), key: filePath('Its private key') },
        { ...strict, description: 'PEM files, read again when they change' },
      ),
    ),
    hosts: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 253 }), {
        maxItems: 64,
        description:
          'Names by which this listener is called, such as countersign-admin.identity.svc. Its own addresses need no entry',
      }),
    ),
    auth: Type.Optional(auth),
  },
  { ...strict, description: 'Metrics and decisions. Beyond a loopback address: with tls and auth' },
)

type Raw = Static<typeof AdminSettings>
type RawAuth = Static<typeof auth>

/** Files of a certificate chain and its private key, PEM. */
export type TlsConfig = { readonly cert: string; readonly key: string }

/** What a caller of the admin listener may be allowed. */
export type Permission = 'metrics' | 'decisions'

/** How callers of the admin listener are known, and what each may do. */
export type AdminAuth = {
  /** Exact names of callers, by permission. */
  readonly allow: Readonly<Record<Permission, readonly string[]>>
  readonly by:
    | {
        readonly kind: 'tokenreview'
        readonly api: {
          readonly inCluster?: true
          readonly kubeconfig?: string
          readonly context?: string
        }
        readonly audience: string
      }
    /** `file` holds the authority of the certificates. */
    | { readonly kind: 'clientCa'; readonly file: string }
}

/** The listener for metrics and decisions. */
export type AdminConfig = {
  readonly host: string
  readonly port: number
  readonly tls: TlsConfig | null
  /** Host names it answers to, beside loopback names and its own addresses; lower case. */
  readonly hosts: readonly string[]
  /** Null: nobody is asked who they are; only on a loopback address. */
  readonly auth: AdminAuth | null
}

/** Reads `admin`. @param publicPort the port of the public listener */
export function readAdmin(
  raw: Raw | undefined,
  issuer: string,
  publicPort: number,
  find: Findings,
): AdminConfig {
  const at = ['admin']
  const host = find.part(raw, at, 'host') ?? ADMIN_DEFAULTS.host
  const ownPort = find.part(raw, at, 'port') ?? ADMIN_DEFAULTS.port
  const tls = find.part(raw, at, 'tls') ?? null
  const auth = find.part(raw, at, 'auth')
  const hosts = find.part(raw, at, 'hosts') ?? []
  hosts.forEach((name, index) => {
    const fault = hostFault(name)
    if (fault !== undefined) find.error([...at, 'hosts', index], fault)
  })
  const unusable = hostFault(host)
  if (unusable !== undefined) {
    find.error([...at, 'host'], unusable)
  } else if (!isLoopback(host)) {
    guardExposed(host, raw, find)
  }
  // Port 0 lets the system choose.
  if (ownPort !== 0 && ownPort === publicPort) {
    find.error([...at, 'port'], `is ${ownPort}, which listen.port uses already`)
  }
  return {
    host,
    port: ownPort,
    tls,
    hosts: hosts.map((name) => name.toLowerCase()),
    auth: auth === undefined ? null : readAuth(auth, tls, issuer, [...at, 'auth'], find),
  }
}

/** Others than this machine can connect: they must be asked who they are, over TLS. */
function guardExposed(host: string, raw: Raw | undefined, find: Findings): void {
  const lacks = (setting: string, why: string) =>
    find.error(
      ['admin', 'host'],
      `is ${quote(host)}, not a loopback address: ${setting} is needed, ${why}`,
    )
  if (raw?.auth === undefined) {
    lacks('admin.auth', 'because metrics and decisions would be public')
  } else if (raw.tls === undefined) {
    lacks('admin.tls', 'because whoever listens in would learn what callers show')
  }
}

function readAuth(
  raw: RawAuth,
  tls: TlsConfig | null,
  issuer: string,
  at: SettingPath,
  find: Findings,
): AdminAuth | null {
  const { tokenreview: review, clientCa } = raw
  const { metrics = [], decisions = [] } = raw.allow
  const allow = { metrics, decisions }
  if (metrics.length + decisions.length === 0) {
    find.error([...at, 'allow'], 'names nobody in metrics or decisions')
  }
  if ((review === undefined) === (clientCa === undefined)) {
    find.error(at, 'must have exactly one of tokenreview, clientCa')
    return null
  }
  if (clientCa !== undefined) {
    if (tls === null)
      find.error([...at, 'clientCa'], 'needs admin.tls: certificates are shown in it')
    for (const permission of ['metrics', 'decisions'] as const) {
      allow[permission].forEach((name, index) => {
        if (/^(DNS|URI):[^\s,"]+$/.test(name)) return
        const wanted =
          'a name in a certificate, such as DNS:prometheus.example.com or URI:spiffe://example.org/prometheus'
        find.error([...at, 'allow', permission, index], `is ${quote(name)}, not ${wanted}`)
      })
    }
    return { allow, by: { kind: 'clientCa', file: clientCa } }
  }
  return { allow, by: readReview(review ?? {}, issuer, [...at, 'tokenreview'], find) }
}

function readReview(
  raw: NonNullable<RawAuth['tokenreview']>,
  issuer: string,
  at: SettingPath,
  find: Findings,
): AdminAuth['by'] {
  const { audience = `${issuer}/admin`, ...api } = raw
  if ((api.inCluster === undefined) === (api.kubeconfig === undefined)) {
    find.error(at, 'must have exactly one of inCluster, kubeconfig')
  }
  if (api.context !== undefined && api.kubeconfig === undefined) {
    find.error([...at, 'context'], 'has a meaning only with kubeconfig')
  }
  return { kind: 'tokenreview', api, audience }
}
