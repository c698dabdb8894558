/**
 * Where the bundle of a trust domain is read: a file, or a bundle endpoint of either profile (SPIFFE Federation §5.2).
 * Hands its JWT keys to the key source and remembers the rest: how new it is, and which authorities vouch for the endpoint.
 */

import type { Door } from '../../src/net/fetch.ts'
import { type KeyReader, keyReader, type Reading, readingOf } from '../../src/net/keyreader.ts'
import { KeySetError } from '../../src/net/keyset.ts'
import type { Certificate } from '../certificate.ts'
import { type Bundle, readBundle, refuseOlder } from './bundle.ts'
import type { BundleSettings } from './settings.ts'

/** Reads the document, with what the last one said. */
type Source = {
  /** What is known before anything was read; null where nothing has to be. */
  readonly first: () => Promise<Bundle | null>
  readonly read: (known: Bundle | null) => Promise<Reading>
}

/** The bundle of one entry. */
export type BundleSource = {
  /** Reads it anew. Gives its JWT keys. */
  readonly read: KeyReader
  /** The X.509 authorities of the newest bundle that was read; none before the first. */
  readonly authorities: () => readonly Certificate[]
}

/**
 * Makes the source of one entry's bundle. A document older than the one before is a failed refresh: keys and
 * authorities before stay in use, as long as keys may grow stale.
 */
export function bundleSource(settings: BundleSettings, door: Door): BundleSource {
  const source = sourceOf(settings, door)
  let newest: Bundle | null = null
  return {
    authorities: () => newest?.authorities ?? [],
    async read() {
      const known = newest ?? (await source.first())
      const reading = await source.read(known)
      const bundle = readBundle(reading.text)
      if (known !== null) refuseOlder(bundle, known)
      newest = bundle
      return { ...reading, text: bundle.jwks, maxAgeSeconds: bundle.refreshHintSeconds ?? 0 }
    },
  }
}

function sourceOf(settings: BundleSettings, door: Door): Source {
  const { file, url = '', profile, ca, allowPrivate = false } = settings
  if (profile === 'https_spiffe') return spiffeEndpoint(url, settings, door)
  const place =
    file === undefined ? { url, allowPrivate, ...(ca === undefined ? {} : { ca }) } : { file }
  return { first: async () => null, read: keyReader(place, url, door) }
}

/**
 * An endpoint that proves by an X.509-SVID that it speaks for the trust domain. The authorities of the newest bundle
 * vouch for it, and those of the bootstrap file for its first one only: an authority that was withdrawn stays so.
 */
function spiffeEndpoint(
  url: string,
  { endpointId = '', bootstrap = '', allowPrivate = false }: BundleSettings,
  door: Door,
): Source {
  const readBootstrap = keyReader({ file: bootstrap }, '', door)
  const allow = [new URL(url).origin]
  return {
    first: async () => readBundle((await readBootstrap()).text),
    async read(known) {
      const authorities = known?.authorities ?? []
      if (authorities.length === 0) {
        throw new KeySetError(`no X.509 authority is known that could vouch for ${endpointId}`)
      }
      const ca = authorities.map(({ x509 }) => x509.toString()).join('')
      const request = { url, allow, allowPrivate, json: true, ca, spiffeId: endpointId }
      return readingOf(await door(request))
    },
  }
}
