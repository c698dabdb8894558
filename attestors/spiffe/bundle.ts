/**
 * A SPIFFE bundle (SPIFFE Trust Domain and Bundle §4): a JWK Set whose keys say by `use` what they are for. It is taken
 * apart here; which of the keys may verify anything is `keyset.ts`'s matter. No I/O. No clock.
 */

import { isObject, type JsonObject } from '../../src/net/json.ts'
import { KeySetError, parseDocument } from '../../src/net/keyset.ts'
import { printable } from '../../src/refusal.ts'
import { type Certificate, readCertificate } from '../certificate.ts'

export type Bundle = {
  /** The keys of JWT-SVIDs, as a plain JWK Set (RFC 7517 §5). */
  readonly jwks: string
  /** The roots of X.509-SVIDs. What cannot be read as an authority is left out. */
  readonly authorities: readonly Certificate[]
  /** Rises with every change; null where the document has none. */
  readonly sequence: number | null
  /** How soon to look again, seconds; null where the document does not say. */
  readonly refreshHintSeconds: number | null
}

/** Certificates cost more than keys to read, and no trust domain has so many. */
const MAX_ENTRIES = 100

/**
 * Reads a bundle. Keys of another `use`, or of none, are not for us (§4.2.2).
 * @throws KeySetError
 */
export function readBundle(text: string): Bundle {
  const document = parseDocument(text, 'a SPIFFE bundle')
  const list = document['keys']
  if (!Array.isArray(list)) throw new KeySetError('the bundle has no array "keys"')
  if (list.length > MAX_ENTRIES) throw new KeySetError(`the bundle has over ${MAX_ENTRIES} keys`)
  const keys = list.filter(isObject)
  const jwtKeys = keys.filter(({ use }) => use === 'jwt-svid')
  return {
    // For everybody else, a key that verifies signatures has the use `sig` (RFC 7517 §4.2).
    jwks: JSON.stringify({ keys: jwtKeys.map((key) => ({ ...key, use: 'sig' })) }),
    authorities: keys.filter(({ use }) => use === 'x509-svid').flatMap(authorityOf),
    sequence: wholeNumber(document, 'spiffe_sequence'),
    refreshHintSeconds: wholeNumber(document, 'spiffe_refresh_hint'),
  }
}

/**
 * A bundle that was once replaced must not come back, with the keys that were withdrawn since (§4.1.1). To leave the
 * number out would be a way to bring it back all the same.
 * @throws KeySetError
 */
export function refuseOlder({ sequence }: Bundle, known: Bundle): void {
  if (known.sequence === null) return
  if (sequence === null) {
    throw new KeySetError(`the bundle has no spiffe_sequence any more; it was ${known.sequence}`)
  }
  if (sequence < known.sequence) {
    throw new KeySetError(
      `the bundle's spiffe_sequence went back from ${known.sequence} to ${sequence}`,
    )
  }
}

/** Exactly one certificate in `x5c` (§4.2.3). */
function authorityOf({ x5c }: JsonObject): readonly Certificate[] {
  const [der, another] = Array.isArray(x5c) ? x5c : []
  if (typeof der !== 'string' || another !== undefined) return []
  try {
    const certificate = readCertificate(Buffer.from(der, 'base64'))
    return certificate.extensions.authority === null ? [] : [certificate]
  } catch {
    // Whatever it is, it vouches for nobody. Without any root left, the endpoint is not asked, and says why.
    return []
  }
}

function wholeNumber(document: JsonObject, name: string): number | null {
  const value = document[name]
  if (value === undefined) return null
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new KeySetError(`${name} is ${printable(value)}, not a whole number`)
}
