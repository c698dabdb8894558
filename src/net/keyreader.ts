/**
 * Where a trust entry's keys are: the issuer's discovery document (OpenID Connect Discovery §4), a URL, a
 * file, or the configuration itself. Reads the document; what is in it is `keyset.ts`'s matter.
 */

import { readFile, stat } from 'node:fs/promises'
import { type Static, Type } from 'typebox'
import type { Report } from '../identity.ts'
import { printable } from '../refusal.ts'
import type { Door, DoorAnswer } from './fetch.ts'
import { KeySetError, parseDocument } from './keyset.ts'

/** Settings of a key source; exactly one of the first four. */
export const JwksSettings = Type.Object(
  {
    discovery: Type.Optional(
      Type.Literal(true, {
        description:
          "Find the keys through the issuer's /.well-known/openid-configuration. Its jwks_uri must be on the issuer's own origin.",
      }),
    ),
    url: Type.Optional(
      Type.String({ format: 'uri', description: 'The URL of the JWK Set. https only.' }),
    ),
    file: Type.Optional(
      Type.String({
        minLength: 1,
        format: 'path',
        description: 'A file with the JWK Set, read again every few minutes.',
      }),
    ),
    inline: Type.Optional(
      Type.Object(
        { keys: Type.Array(Type.Object({}, { additionalProperties: true })) },
        { additionalProperties: true, description: 'The JWK Set itself. It never changes.' },
      ),
    ),
    ca: Type.Optional(
      Type.String({
        minLength: 1,
        format: 'path',
        description: "PEM file, trusted in place of the system's roots.",
      }),
    ),
    token: Type.Optional(
      Type.String({
        minLength: 1,
        format: 'path',
        description: 'File with a bearer token for the request, read again on each use.',
      }),
    ),
    allowPrivate: Type.Optional(
      Type.Boolean({
        description: 'Let the host be at a private or loopback address. Default: false.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'Where the public keys come from. Exactly one source.',
  },
)
export type JwksSettings = Static<typeof JwksSettings>

/** A document as read. */
export type Reading = {
  readonly text: string
  /** How long its server would cache it: 0 when it does not say, Infinity for what never changes. */
  readonly maxAgeSeconds: number
  /** The server's clock when it answered, milliseconds since the epoch; null without a server. */
  readonly serverTimeMs: number | null
}

/** Reads the key document. Rejects when it cannot be had; any rejection is a failed refresh. */
export type KeyReader = () => Promise<Reading>

const MAX_FILE_BYTES = 256 * 1024

const SOURCES = ['discovery', 'url', 'file', 'inline'] as const

/** Reports what the schema cannot say about key source settings. */
export function checkJwks(settings: JwksSettings, issuer: string, report: Report): void {
  const named = SOURCES.filter((source) => settings[source] !== undefined)
  if (named.length !== 1) report([], `must have exactly one of ${SOURCES.join(', ')}`)
  const isRemote = settings.discovery !== undefined || settings.url !== undefined
  for (const option of ['ca', 'token', 'allowPrivate'] as const) {
    if (!isRemote && settings[option] !== undefined) {
      report([option], 'has a meaning only with discovery or url')
    }
  }
  const [path, url] = settings.url === undefined ? ['discovery', issuer] : ['url', settings.url]
  const protocol = URL.parse(url)?.protocol
  const isLocal = protocol === 'http:' && settings.allowPrivate === true
  if (isRemote && protocol !== 'https:' && !isLocal) {
    const exception = 'http: a loopback address, with allowPrivate'
    report([path], `needs an https URL, not ${printable(url)} (${exception})`)
  }
}

/** Makes the reader that the settings call for. `issuer` is the entry's exact `iss`. */
export function keyReader(settings: JwksSettings, issuer: string, door: Door): KeyReader {
  const { url, file, inline } = settings
  if (inline !== undefined) {
    const text = JSON.stringify(inline)
    return async () => ({ text, maxAgeSeconds: Number.POSITIVE_INFINITY, serverTimeMs: null })
  }
  if (file !== undefined) {
    return async () => ({
      text: await readKeyFile(file),
      maxAgeSeconds: 0,
      serverTimeMs: null,
    })
  }
  const get = getter(settings, url ?? issuer, door)
  const locate = url === undefined ? () => discover(issuer, get) : async () => url
  return async () => readingOf(await get(await locate()))
}

/** An answer over HTTP, as read. */
export function readingOf({ body, headers }: DoorAnswer): Reading {
  const serverTimeMs = Date.parse(headers.date ?? '')
  return {
    text: body,
    maxAgeSeconds: maxAge(headers['cache-control']),
    serverTimeMs: Number.isNaN(serverTimeMs) ? null : serverTimeMs,
  }
}

/** Bounded as an answer over HTTP is; anything but a plain file could keep its reader waiting for ever. */
async function readKeyFile(path: string): Promise<string> {
  const found = await stat(path)
  if (!found.isFile()) throw new KeySetError(`${path} is not a file`)
  if (found.size > MAX_FILE_BYTES) {
    throw new KeySetError(
      `${path} has ${found.size} bytes; a key set has at most ${MAX_FILE_BYTES}`,
    )
  }
  return readFile(path, 'utf8')
}

type Get = (url: string) => Promise<DoorAnswer>

/** The one origin is that of the configured URL or issuer, whatever a document says. */
function getter(settings: JwksSettings, configured: string, door: Door): Get {
  const allow = [new URL(configured).origin]
  const { ca, token, allowPrivate = false } = settings
  return async (url) => {
    const bearer = token === undefined ? undefined : (await readFile(token, 'utf8')).trim()
    return door({
      url,
      allow,
      allowPrivate,
      json: true,
      ca: ca === undefined ? undefined : await readFile(ca, 'utf8'),
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    })
  }
}

async function discover(issuer: string, get: Get): Promise<string> {
  // A trailing slash is part of an issuer's name (AKS), but not doubled in the path (Discovery §4.1).
  const answer = await get(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  const document = parseDocument(answer.body, 'a discovery document')
  const { issuer: found, jwks_uri: url } = document
  // Discovery §4.3: another issuer's document says nothing about this one's keys.
  if (found !== issuer) {
    throw new KeySetError(`discovery names issuer ${printable(found)}, expected ${issuer}`)
  }
  if (typeof url !== 'string' || URL.parse(url)?.origin !== new URL(issuer).origin) {
    throw new KeySetError(
      `jwks_uri ${printable(url)} is not on the issuer's origin; set jwks.url instead`,
    )
  }
  return url
}

function maxAge(cacheControl: string | undefined): number {
  const seconds = /(?:^|[,\s])max-age=([0-9]{1,9})(?:$|[,\s])/i.exec(cacheControl ?? '')?.[1]
  return seconds === undefined ? 0 : Number(seconds)
}
