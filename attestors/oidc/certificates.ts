/**
 * Key sets that hold certificates where others hold keys (RFC 7517 §4.7), as Azure Attestation publishes them. The
 * certificates are self-signed: what makes them good is where they were read, not who signed them.
 */

import { X509Certificate } from 'node:crypto'
import { isObject, type Json, type JsonObject } from '../../src/net/json.ts'
import type { KeyReader } from '../../src/net/keyreader.ts'
import { parseDocument } from '../../src/net/keyset.ts'

/** Reads a key set and writes the key of each certificate beside it; other keys stay as they are. */
export function withCertificateKeys(read: KeyReader): KeyReader {
  return async () => {
    const reading = await read()
    const { keys, ...rest } = parseDocument(reading.text, 'a JWK Set')
    const filled = Array.isArray(keys) ? keys.map(fill) : (keys ?? null)
    return { ...reading, text: JSON.stringify({ ...rest, keys: filled }) }
  }
}

function fill(jwk: Json): Json {
  if (!isObject(jwk) || 'n' in jwk || !Array.isArray(jwk['x5c'])) return jwk
  const [leaf] = jwk['x5c']
  const { n = '', e = '' } = typeof leaf === 'string' ? publicMembers(leaf) : {}
  return { ...jwk, n, e } satisfies JsonObject
}

/** A certificate that cannot be read gives a key that is malformed, which the key set reports. */
function publicMembers(der: string): { n?: string; e?: string } {
  try {
    const { n, e } = new X509Certificate(Buffer.from(der, 'base64')).publicKey.export({
      format: 'jwk',
    })
    return { ...(n !== undefined && { n }), ...(e !== undefined && { e }) }
  } catch {
    return {}
  }
}
