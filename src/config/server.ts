/** The settings of the server itself: where it listens, what it keeps, and for how long. */

import { bytes, seconds } from '../units.ts'
import { type Findings, quote, type SettingPath } from './findings.ts'
import { IN_MEMORY } from './paths.ts'
import { DEFAULTS, type RawSettings } from './schema.ts'
import { type Outside, readSecret, type Secret } from './secrets.ts'
import { cidrFault, hostFault, isLoopback, issuerFault } from './uris.ts'

/** The public listener. */
export type ListenConfig = {
  readonly host: string
  readonly port: number
  /** Paths of PEM files; null for plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | null
  /** The longest form that the token endpoint reads, bytes. */
  readonly bodyLimitBytes: number
  /** CIDRs whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[]
}

/** Signing keys. */
export type KeysConfig = {
  readonly algorithm: 'ES256'
  readonly rotateEverySeconds: number
  /** Encrypts private keys in the store. Null: the store makes one beside the database. */
  readonly secret: Secret | null
}

/** Everything about the server that no trust entry, resource or policy touches. */
export type ServerConfig = {
  readonly issuer: string
  readonly listen: ListenConfig
  /** The loopback listener for metrics and decisions. */
  readonly admin: { readonly host: string; readonly port: number }
  readonly store: { readonly sqlite: string }
  readonly keys: KeysConfig
  /** `file` is null for standard output. */
  readonly audit: { readonly file: string | null; readonly retentionSeconds: number }
}

/** Reads the server's settings. What the schema refused keeps its default and is not judged. */
export function readServer(
  raw: Partial<RawSettings>,
  find: Findings,
  outside: Outside,
): ServerConfig {
  const issuer = readIssuer(find.part(raw, [], 'issuer'), find)
  const listen = readListen(raw.listen, issuer, find)
  return {
    issuer,
    listen,
    admin: readAdmin(raw.admin, listen, find),
    store: { sqlite: readSqlite(raw.store, find) },
    keys: readKeys(raw.keys, find, outside),
    audit: {
      file: find.part(raw.audit, ['audit'], 'file') ?? null,
      retentionSeconds: boundedSeconds(
        find.part(raw.audit, ['audit'], 'retention') ?? DEFAULTS.retention,
        { least: '1h', most: '366d' },
        ['audit', 'retention'],
        find,
      ),
    },
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

function readSqlite(raw: RawSettings['store'], find: Findings): string {
  const sqlite = find.part(raw, ['store'], 'sqlite') ?? DEFAULTS.sqlite
  if (sqlite === IN_MEMORY) {
    find.warn(
      ['store', 'sqlite'],
      'is in memory: keys and spent evidence are forgotten at the next start',
    )
  }
  return sqlite
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
  return { host, port, tls, bodyLimitBytes, trustedProxies }
}

function readAdmin(
  raw: RawSettings['admin'],
  listen: ListenConfig,
  find: Findings,
): ServerConfig['admin'] {
  const at = ['admin']
  const host = find.part(raw, at, 'host') ?? DEFAULTS.admin.host
  const port = find.part(raw, at, 'port') ?? DEFAULTS.admin.port
  const unusable = hostFault(host)
  if (unusable !== undefined) {
    find.error([...at, 'host'], unusable)
  } else if (!isLoopback(host)) {
    find.error(
      [...at, 'host'],
      `is ${quote(host)}, but must be a loopback address: this listener asks nobody who they are, and metrics and decisions would be public`,
    )
  }
  // Port 0 lets the system choose.
  if (port !== 0 && port === listen.port) {
    find.error([...at, 'port'], `is ${port}, which listen.port uses already`)
  }
  return { host, port }
}

function readKeys(raw: RawSettings['keys'], find: Findings, outside: Outside): KeysConfig {
  const at = ['keys']
  const secret = find.part(raw, at, 'secret')
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
