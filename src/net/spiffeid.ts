/**
 * SPIFFE IDs (SPIFFE-ID §2), read strictly: a workload has one spelling, so that ids can be compared as strings.
 * No I/O. No clock.
 */

/** A SPIFFE ID, taken apart. */
export type SpiffeId = {
  /** The whole of it. */
  readonly uri: string
  readonly trustDomain: string
  /** With its leading slash; empty for the trust domain itself. */
  readonly path: string
}

/** SPIFFE-ID §2.3. All of it is ASCII, so that characters are bytes. */
const MAX_BYTES = 2048

/**
 * A trust domain of at most 255 characters and segments that are neither empty nor dots (§2.1, §2.2). What a URI could
 * have besides is not in the alphabet: capitals in the domain, port, user, query, fragment, percent-encoding.
 */
const FORM = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*)$/

/** @returns null for anything that is not exactly a SPIFFE ID */
export function parseSpiffeId(text: unknown): SpiffeId | null {
  if (typeof text !== 'string' || text.length > MAX_BYTES) return null
  const [uri, trustDomain, path] = FORM.exec(text) ?? []
  if (uri === undefined || trustDomain === undefined || path === undefined) return null
  return { uri, trustDomain, path }
}

/** The SPIFFE ID of a trust domain itself (§2.1): what stands for it where others have an `iss`. */
export function trustDomainUri(trustDomain: string): string {
  return `spiffe://${trustDomain}`
}
