/**
 * What a trust entry finds out from its own API server, where its settings leave it out: the issuer and the
 * keys. It is asked over the connection of `api`, whose certificate proves which cluster it is.
 */

import type { Door } from '../../src/net/fetch.ts'
import { type KeyReader, keyReader } from '../../src/net/keyreader.ts'
import { printable } from '../../src/refusal.ts'
import type { ImageSignatures } from '../images/signatures.ts'
import { type ClusterApi, ClusterApiError } from './api.ts'
import { LEGACY_ISSUER } from './profile.ts'
import { DEFAULT_JWKS, type SettledSettings } from './settings.ts'
import type { ClusterView } from './view.ts'

/** How the cluster of an entry is asked. */
export type ClusterAccess = {
  readonly api: ClusterApi
  /** Null where the entry neither watches for liveness nor wants posture. */
  readonly view: ClusterView | null
  /** Null where nobody's signatures are configured. */
  readonly signatures: ImageSignatures | null
}

const DISCOVERY_PATH = '/.well-known/openid-configuration'
const KEYS_PATH = '/openid/v1/jwks'
/** An API server answers 406 to whoever does not name this type (RFC 7517 §8.5). */
const KEYS_TYPE = 'application/jwk-set+json'
const MAX_ISSUER = 2048

/** The reader of an entry's keys: as `jwks` says, else from the API server, else by discovery. */
export function clusterKeyReader(
  { jwks, issuer }: SettledSettings,
  access: ClusterAccess | null,
  door: Door,
): KeyReader {
  if (jwks !== undefined || access === null) return keyReader(jwks ?? DEFAULT_JWKS, issuer, door)
  return async () => {
    const keys = await access.api.get(KEYS_PATH, KEYS_TYPE)
    return { text: JSON.stringify(keys), maxAgeSeconds: 0, serverTimeMs: null }
  }
}

/**
 * The exact `iss` of the tokens of a cluster, by its own word.
 * @throws ClusterApiError
 */
export async function readIssuer(api: ClusterApi): Promise<string> {
  const { issuer } = await api.get(DISCOVERY_PATH)
  const isIssuer = typeof issuer === 'string' && issuer !== '' && issuer.length <= MAX_ISSUER
  // The issuer of tokens in Secrets is that of every cluster, and selects none.
  if (isIssuer && issuer !== LEGACY_ISSUER) return issuer
  throw new ClusterApiError(
    `${DISCOVERY_PATH} of the API server names the issuer ${printable(issuer)}`,
    null,
  )
}
