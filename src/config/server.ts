/** The settings of the server itself: where it listens, what it keeps, and for how long. */

import { bytes, seconds } from '../units.ts'
import { type AdminConfig, readAdmin, type TlsConfig } from './admin.ts'
import { type Findings, quote, type SettingPath } from './findings.ts'
import { DEFAULTS, type RawSettings } from './schema.ts'
import { type Outside, readSecret, type Secret } from './secrets.ts'
import { readStore, type StoreConfig } from './store.ts'
import { readTelemetry, type TelemetryConfig } from './telemetry.ts'
import { cidrFault, hostFault, isLoopback, issuerFault } from './uris.ts'

/** The public listener. */
export type ListenConfig = {
  readonly host: string
  readonly port: number
  /** Paths of PEM files; null for plain HTTP. */
  readonly tls: TlsConfig | null
  /** The longest form that the token endpoint reads, bytes. */
  readonly bodyLimitBytes: number
  readonly clientCertificates: ClientCertificates
  /** CIDRs whose X-Forwarded-For and Client-Cert are believed. */
  readonly trustedProxies: readonly string[]
  /**
   * What Client-Cert (RFC 9440) from them is good for. A proxy that does not know the header lets everybody's pass: a
   * lie then binds a token to a key that its liar does not hold, which is harmless; as a credential it would not be.
   */
  readonly clientCertHeader: 'bind' | 'identify' | 'ignore'
  /** How long requests are still served once the broker is told to stop. */
  readonly lingerSeconds: number
}

/** Whether our own TLS listener asks callers for certificates. */
export type ClientCertificates = {
  readonly asked: boolean
  /** Path of the only authorities whose certificates bind tokens, PEM; null for any. */
  readonly ca: string | null
}

/** Signing keys. */
export type KeysConfig = {
  readonly algorithm: 'ES256'
  readonly rotateEverySeconds: number
  /** Encrypts private keys in the store. Null: the embedded store makes one beside its file. */
  readonly secret: Secret | null
}

/** Everything about the server that no trust entry, resource or policy touches. */
export type ServerConfig = {
  readonly issuer: string
  readonly listen: ListenConfig
  readonly admin: AdminConfig
  readonly store: StoreConfig
  readonly keys: KeysConfig
  /** `file` is null for standard output. */
  readonly audit: { readonly file: string | null; readonly retentionSeconds: number }
  readonly telemetry: TelemetryConfig
}

/** Reads the server's settings. What the schema refused keeps its default and is not judged. */
export function readServer(
  raw: Partial<RawSettings>,
  find: Findings,
  outside: Outside,
): ServerConfig {
  const issuer = readIssuer(find.part(raw, [], 'issuer'), find)
  const listen = readListen(raw.listen, issuer, find)
  const store = readStore(find.part(raw, [], 'store'), find, outside)
  return {
    issuer,
    listen,
    admin: readAdmin(raw.admin, issuer, listen.port, find),
    store,
    keys: readKeys(raw.keys, 'postgres' in store, find, outside),
    audit: {
      file: find.part(raw.audit, ['audit'], 'file') ?? null,
      retentionSeconds: boundedSeconds(
        find.part(raw.audit, ['audit'], 'retention') ?? DEFAULTS.retention,
        { least: '1h', most: '366d' },
        ['audit', 'retention'],
        find,
      ),
    },
    telemetry: readTelemetry(raw.telemetry, find),
  }
}

/**
 * Reads a duration that the schema has accepted, and reports it when it is out of bounds.
 * @returns seconds
 */
export function boundedSeconds(
  duration: string,
  bounds: { readonly least: string; readonly most: string },
  path: SettingPath,
  find: Findings,
): number {
  const value = seconds(duration)
  if (value < seconds(bounds.least) || value > seconds(bounds.most)) {
    find.error(path, `is ${duration}, but must be from ${bounds.least} to ${bounds.most}`)
  }
  return value
}

/** Empty when a problem was reported: then nothing else is held against it. */
function readIssuer(raw: string | undefined, find: Findings): string {
  const fault = raw === undefined ? undefined : issuerFault(raw)
  if (fault !== undefined) find.error(['issuer'], fault)
  return fault === undefined ? (raw ?? '') : ''
}

function readListen(raw: RawSettings['listen'], issuer: string, find: Findings): ListenConfig {
  const at = ['listen']
  const host = find.part(raw, at, 'host') ?? DEFAULTS.listen.host
  const tls = find.part(raw, at, 'tls') ?? null
  const trustedProxies = find.part(raw, at, 'trustedProxies') ?? []
  trustedProxies.forEach((network, index) => {
    const fault = cidrFault(network)
    if (fault !== undefined) find.error([...at, 'trustedProxies', index], fault)
  })
  const unusable = hostFault(host)
  if (unusable !== undefined) find.error([...at, 'host'], unusable)
  const isPlain = issuer.startsWith('http:')
  if (isPlain && unusable === undefined && find.sound([...at, 'host']) && !isLoopback(host)) {
    find.error(
      [...at, 'host'],
      `is ${quote(host)}, but an http issuer may only listen on a loopback address`,
    )
  }
  if (isPlain && tls !== null) {
    find.error([...at, 'tls'], 'contradicts the issuer, which begins with http://')
  }
  const port = find.part(raw, at, 'port') ?? DEFAULTS.listen.port
  const bodyLimit = find.part(raw, at, 'bodyLimit') ?? DEFAULTS.listen.bodyLimit
  const bodyLimitBytes = bytes(bodyLimit)
  if (bodyLimitBytes < bytes('16KiB') || bodyLimitBytes > bytes('1MiB')) {
    find.error([...at, 'bodyLimit'], `is ${bodyLimit}, but must be from 16KiB to 1MiB`)
  }
  const linger = find.part(raw, at, 'linger')
  const lingerSeconds =
    linger === undefined
      ? 0
      : boundedSeconds(linger, { least: '1s', most: '5m' }, [...at, 'linger'], find)
  return {
    host,
    port,
    tls: tls && { cert: tls.cert, key: tls.key },
    clientCertificates: readClientCertificates(tls, [...at, 'tls'], find),
    bodyLimitBytes,
    trustedProxies,
    clientCertHeader: readHeaderTrust(raw, trustedProxies, at, find),
    lingerSeconds,
  }
}

function readClientCertificates(
  tls: NonNullable<RawSettings['listen']>['tls'] | null,
  at: SettingPath,
  find: Findings,
): ClientCertificates {
  const { clientCertificates: wish, clientCa: ca = null } = tls ?? {}
  if (ca !== null && wish === 'off') {
    find.error([...at, 'clientCertificates'], 'is off, which contradicts clientCa')
  }
  return { asked: ca !== null || wish === 'request', ca }
}

function readHeaderTrust(
  raw: RawSettings['listen'],
  trustedProxies: readonly string[],
  at: SettingPath,
  find: Findings,
): ListenConfig['clientCertHeader'] {
  const wish = find.part(raw, at, 'clientCertHeader')
  if (wish !== undefined && trustedProxies.length === 0 && find.sound([...at, 'trustedProxies'])) {
    find.error([...at, 'clientCertHeader'], 'has a meaning only with trustedProxies')
  }
  return wish ?? DEFAULTS.listen.clientCertHeader
}

function readKeys(
  raw: RawSettings['keys'],
  shared: boolean,
  find: Findings,
  outside: Outside,
): KeysConfig {
  const at = ['keys']
  const secret = find.part(raw, at, 'secret')
  if (shared && secret === undefined && find.sound([...at, 'secret'])) {
    find.error(
      [...at, 'secret'],
      'is required with store.postgres: every replica opens the signing keys with it',
    )
  }
  return {
    algorithm: 'ES256',
    rotateEverySeconds: boundedSeconds(
      find.part(raw, at, 'rotateEvery') ?? DEFAULTS.rotateEvery,
      { least: '1h', most: '366d' },
      [...at, 'rotateEvery'],
      find,
    ),
    secret: secret === undefined ? null : readSecret(secret, [...at, 'secret'], find, outside),
  }
}
