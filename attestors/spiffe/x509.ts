/**
 * X.509-SVIDs as evidence of a workload (X509-SVID §2 to §5): the chain of certificates that a caller showed when it
 * opened its TLS connection.
 *
 * That the caller holds the key of the leaf is proved by the handshake, before anything here runs, and by nothing
 * here: whoever hands over such evidence has to have it from a connection that it, or a proxy that it trusts, has
 * ended. The chain leads to an authority in the bundle of the trust domain, never to the system's.
 */

import { hash } from 'node:crypto'
import type { TrustCommon } from '../../src/identity.ts'
import { parseSpiffeId, type SpiffeId, trustDomainUri } from '../../src/net/spiffeid.ts'
import { printable, Refusal } from '../../src/refusal.ts'
import type { DirectEvidence } from '../../src/relay.ts'
import { seconds } from '../../src/units.ts'
import { type Certificate, readCertificate } from '../certificate.ts'
import { findChain } from '../chain.ts'
import { checkWindow, invalidClaim, type Window } from '../claims.ts'
import { decodeDocument } from '../document.ts'
import type { Keys } from '../jwt.ts'
import { DEFAULT_MAX_CERTIFICATE_LIFETIME, type SpiffeSettings } from './settings.ts'
import { checkListed, readWorkloadId, workload } from './workload.ts'

/** `Evidence.format`: the certificates as base64 of their DER, leaf first, joined by `SEPARATOR`. */
export const X509_SVID = 'x509-svid'
const SEPARATOR = '.'

const MAX_CERTIFICATES = 8
const MAX_BYTES = 4096
/** Certificates that are remembered, a few kilobytes each. */
const MAX_REMEMBERED = 256

/** id-kp-clientAuth (RFC 5280 §4.2.1.12), as `oidOf` writes it. */
const CLIENT_AUTH = '2b06010505070302'

/** What a caller showed, read. Nothing in it is proved. */
type Shown = {
  readonly id: SpiffeId
  readonly leaf: Certificate
  readonly intermediates: readonly Certificate[]
}

/**
 * What one entry makes of X.509-SVIDs.
 * @param authorities of the newest bundle of the trust domain
 * @param keys keeps that bundle fresh
 */
export function x509Svid(
  settings: SpiffeSettings,
  { trust }: TrustCommon,
  authorities: () => readonly Certificate[],
  keys: Keys,
): DirectEvidence {
  const { trustDomain, maxCertificateLifetime = DEFAULT_MAX_CERTIFICATE_LIFETIME } = settings
  const maxLifetimeSeconds = seconds(maxCertificateLifetime)
  const decoded = certificateReader()

  function read(value: string): Shown {
    const [first, ...others] = split(value)
    const leaf = decoded(first)
    const id = readWorkloadId('URI', soleUri(leaf), trustDomain)
    checkLeaf(leaf)
    return { id, leaf, intermediates: others.map((text) => decoded(text)) }
  }

  function screen({ leaf: { notBefore, notAfter } }: Shown, nowSeconds: number): Window {
    return checkWindow({ iat: notBefore, exp: notAfter }, nowSeconds, maxLifetimeSeconds)
  }

  return {
    claimedIssuer(value) {
      const uri = soleUri(decoded(split(value)[0]))
      const id = parseSpiffeId(uri)
      if (id === null) throw invalidClaim('URI', 'a SPIFFE ID', uri)
      return trustDomainUri(id.trustDomain)
    },
    async prepare(value, nowSeconds) {
      const shown = read(value)
      screen(shown, nowSeconds)
      const { id, leaf, intermediates } = shown
      const isKnown = () => isIssued([leaf, ...intermediates], authorities()) || undefined
      if (!(await keys.seek(issuerName(intermediates.at(-1) ?? leaf), isKnown))) {
        const problem = `no authority in the bundle of ${trustDomain} issued it`
        throw new Refusal('certificate_untrusted', { id: printable(id.uri), problem })
      }
      return {
        verify(now) {
          const roots = authorities()
          const chain = findChain(leaf, { roots, intermediates }, { nowSeconds: now })
          checkConstraints(chain, trustDomain)
          const { issuedAt } = screen(shown, now)
          checkListed(id, settings)
          const expiresAt = Math.min(...chain.map(({ notAfter }) => notAfter))
          return workload(trust, id, 'x509', { issuedAt, expiresAt }, leaf.fingerprint)
        },
      }
    },
  }
}

/** @throws Refusal `evidence_too_large` */
function split(value: string): readonly string[] {
  const certificates = value.split(SEPARATOR, MAX_CERTIFICATES + 1)
  if (certificates.length <= MAX_CERTIFICATES) return certificates
  throw new Refusal('evidence_too_large', { maxCertificates: MAX_CERTIFICATES })
}

/**
 * Reads certificates, and remembers the last ones: a connection shows the same ones with each of its requests, and
 * reading one costs more than a signature. What is remembered is what the same text says, and nothing about trust.
 * @returns a reader that throws Refusal `evidence_too_large`, `document_malformed`
 */
function certificateReader(): (text?: string) => Certificate {
  const known = new Map<string, Certificate>()
  return (text = '') => {
    const certificate = known.get(text) ?? readCertificate(decodeDocument(text, MAX_BYTES))
    known.delete(text)
    known.set(text, certificate)
    const [oldest] = known.keys()
    if (known.size > MAX_REMEMBERED && oldest !== undefined) known.delete(oldest)
    return certificate
  }
}

/** @throws Refusal `claim_invalid` unless there is exactly one URI (§2) */
function soleUri({ extensions: { uris } }: Certificate): string {
  const [uri, ...others] = uris
  if (uri !== undefined && others.length === 0) return uri
  throw invalidClaim('URI', 'exactly one, a SPIFFE ID', uris)
}

/** A leaf signs handshakes and nothing else (§4.1, §4.3). @throws Refusal `certificate_untrusted` */
function checkLeaf({ extensions: { authority, usage } }: Certificate): void {
  if (authority !== null) throw untrusted('an authority is no workload')
  if (usage?.digitalSignature !== true) throw untrusted('its key usage is not digitalSignature')
  if (usage.keyCertSign) throw untrusted('its key usage is that of an authority: keyCertSign')
  if (usage.crlSign) throw untrusted('its key usage is that of an authority: cRLSign')
}

/**
 * Whether an authority is the issuer of one of the certificates by name and key identifier. Only then is it worth a
 * signature to find out.
 */
function isIssued(shown: readonly Certificate[], authorities: readonly Certificate[]): boolean {
  return authorities.some((authority) =>
    shown.some((certificate) => certificate.x509.checkIssued(authority.x509)),
  )
}

/** What an authority is remembered by that no bundle has: the same for all whom it issued. */
function issuerName({ issuer, extensions: { issuerKey } }: Certificate): string {
  return `x509:${hash('sha256', Buffer.concat([issuer, issuerKey ?? Buffer.alloc(0)]))}`
}

/**
 * What SPIFFE asks of a chain besides RFC 5280 (§3.2, §4.4, §5.2).
 * @throws Refusal `certificate_untrusted`
 */
function checkConstraints(chain: readonly Certificate[], trustDomain: string): void {
  for (const { extensions } of chain) {
    const { purposes, limitsNames } = extensions
    if (purposes !== null && !purposes.includes(CLIENT_AUTH)) {
      throw untrusted('not for clients of TLS (extended key usage)')
    }
    // Constraints on URIs are about hosts, so that what they say of a SPIFFE ID is for nobody to guess.
    if (limitsNames) throw untrusted('it limits names (name constraints), which is not judged here')
  }
  const own = trustDomainUri(trustDomain)
  const foreign = chain
    .slice(1)
    .flatMap(({ extensions }) => extensions.uris)
    .find((uri) => /^spiffe:/i.test(uri) && uri !== own)
  if (foreign !== undefined) throw untrusted(`an authority of ${printable(foreign)}, not of ${own}`)
}

function untrusted(problem: string): Refusal {
  return new Refusal('certificate_untrusted', { problem })
}
