/**
 * What a registry has beside an image (OCI distribution 1.1 §4.6): manifests that refer to it, and the blobs that
 * they name. Only registries of the configuration are asked, and what they say of tokens and redirects leads nowhere
 * else. Whatever is named by a digest is compared with it, so that a registry can withhold but not alter.
 */

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type Door, DoorError, type DoorRequest } from '../../src/net/fetch.ts'
import { isObject, type Json, JsonError, type JsonObject, parseJson } from '../../src/net/json.ts'
import type { ImageName } from './reference.ts'
import { originOf, type RegistrySettings } from './settings.ts'

/** What could not be found out; its message is for the operator. */
export class LookupError extends Error {
  override readonly name = 'LookupError'
}

/** What one thing in a registry is called and how large it is. */
export type Descriptor = {
  readonly mediaType: string
  readonly artifactType: string | undefined
  readonly digest: string
  readonly size: number
}

/** A registry, asked about one repository. Every method rejects with LookupError and nothing else. */
export type Repository = {
  /** The manifests that refer to an image and say that they are of this type; and whether there are more than came. */
  referrers(
    digest: string,
    artifactType: string,
  ): Promise<{ readonly found: readonly Descriptor[]; readonly isWhole: boolean }>
  /** The layers of one of them. */
  layers(manifest: Descriptor): Promise<readonly Descriptor[]>
  blob(blob: Descriptor): Promise<string>
}

const INDEX = 'application/vnd.oci.image.index.v1+json'
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const BLOB = 'application/octet-stream, */*'
const DIGEST = /^sha256:[0-9a-f]{64}$/
const NOT_FOUND = 404

const MAX_DEPTH = 16
const MAX_INDEX_BYTES = 256 * 1024
const MAX_MANIFEST_BYTES = 64 * 1024
const MAX_TOKEN_BYTES = 32 * 1024
/** A bundle with its certificate, its proofs and a statement about provenance has about 20 KiB. */
export const MAX_BLOB_BYTES = 256 * 1024

/** Logs in where that is needed. @throws LookupError */
export async function openRepository(
  settings: RegistrySettings,
  { repository }: ImageName,
  door: Door,
): Promise<Repository> {
  const origin = originOf(settings)
  const common = await readably(async () => ({
    allowPrivate: settings.allowPrivate === true,
    ca: settings.ca === undefined ? undefined : await readFile(settings.ca, 'utf8'),
  }))
  const authorization = await authorize(settings, repository, { ...common, allow: [] }, door)
  const get = (path: string, accept: string, maxBytes: number) =>
    door({
      ...common,
      url: `${origin}/v2/${repository}/${path}`,
      allow: [origin],
      accept,
      maxBytes,
      ...(authorization === undefined ? {} : { authorization }),
    })
  return {
    async referrers(digest, artifactType) {
      const query = `artifactType=${encodeURIComponent(artifactType)}`
      const answer =
        (await unlessMissing(get(`referrers/${digest}?${query}`, INDEX, MAX_INDEX_BYTES))) ??
        // A registry that does not know the request keeps the same list under a tag (§4.6, referrers tag schema).
        (await unlessMissing(get(`manifests/${digest.replace(':', '-')}`, INDEX, MAX_INDEX_BYTES)))
      if (answer === null) return { found: [], isWhole: true }
      const all = descriptors(parsed(answer.body), 'manifests')
      // The filter is a wish that a registry may leave out.
      const found = all.filter((each) => each.artifactType === artifactType)
      return { found, isWhole: answer.headers['link'] === undefined }
    },
    async layers(manifest) {
      const path = `manifests/${manifest.digest}`
      const { body } = await reachably(get(path, MANIFEST, MAX_MANIFEST_BYTES))
      return descriptors(parsed(same(body, manifest)), 'layers')
    },
    async blob(blob) {
      const asked = get(`blobs/${blob.digest}`, BLOB, MAX_BLOB_BYTES)
      const followed = asked.catch((error: unknown) => {
        const location = error instanceof DoorError ? error.location : null
        const allow = settings.blobs ?? []
        if (location === null || allow.length === 0) throw error
        // Without credentials: they are the registry's. The door judges the origin, and follows no second redirect.
        return door({ ...common, url: location, allow, accept: BLOB, maxBytes: MAX_BLOB_BYTES })
      })
      return same((await reachably(followed)).body, blob)
    },
  }
}

/** The header with which a repository is read; undefined for none. @throws LookupError */
async function authorize(
  { token, credentials }: RegistrySettings,
  repository: string,
  common: Omit<DoorRequest, 'url'>,
  door: Door,
): Promise<string | undefined> {
  const basic = credentials === undefined ? undefined : await readably(() => basicOf(credentials))
  if (token === undefined) return basic
  const url = new URL(token.url)
  url.searchParams.set('service', token.service)
  url.searchParams.set('scope', `repository:${repository}:pull`)
  const { body } = await reachably(
    door({
      ...common,
      url: url.href,
      allow: [url.origin],
      maxBytes: MAX_TOKEN_BYTES,
      ...(basic === undefined ? {} : { authorization: basic }),
    }),
  )
  const answer = parsed(body)
  const found = answer['token'] ?? answer['access_token']
  if (typeof found === 'string' && /^[\x21-\x7e]+$/.test(found)) return `Bearer ${found}`
  throw new LookupError(`${url.origin} gives out no token for ${repository}`)
}

async function basicOf(path: string): Promise<string> {
  const pair = (await readFile(path, 'utf8')).trim()
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

async function readably<Result>(read: () => Promise<Result>): Promise<Result> {
  try {
    return await read()
  } catch (cause) {
    throw new LookupError((cause as Error).message, { cause })
  }
}

async function reachably<Result>(asked: Promise<Result>): Promise<Result> {
  try {
    return await asked
  } catch (cause) {
    if (!(cause instanceof DoorError)) throw cause
    throw new LookupError(cause.message, { cause })
  }
}

async function unlessMissing<Result>(asked: Promise<Result>): Promise<Result | null> {
  return reachably<Result | null>(
    asked.catch((error: unknown) => {
      if (error instanceof DoorError && error.status === NOT_FOUND) return null
      throw error
    }),
  )
}

/** What came, if it is what was asked for. */
function same(body: string, { digest }: Descriptor): string {
  if (`sha256:${createHash('sha256').update(body).digest('hex')}` === digest) return body
  throw new LookupError(`the registry answered with something other than ${digest}`)
}

function parsed(body: string): JsonObject {
  try {
    const found = parseJson(body, MAX_DEPTH)
    if (isObject(found)) return found
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause
  }
  throw new LookupError('the registry answered with something other than strict JSON')
}

function descriptors(document: JsonObject, member: string): readonly Descriptor[] {
  const list = document[member]
  if (!Array.isArray(list)) throw new LookupError(`the registry answered without ${member}`)
  return (list as readonly Json[]).map((each) => {
    const { mediaType, artifactType, digest, size } = isObject(each) ? each : {}
    const fits =
      typeof mediaType === 'string' &&
      (artifactType === undefined || typeof artifactType === 'string') &&
      typeof digest === 'string' &&
      DIGEST.test(digest) &&
      typeof size === 'number'
    if (fits) return { mediaType, artifactType, digest, size }
    throw new LookupError(`the registry answered with ${member} that are none`)
  })
}
