/** The settings of image signatures: whose signatures count, by what they are judged, and which registries are asked. */

import { type Static, Type } from 'typebox'
import type { Report } from '../../src/identity.ts'

const path = (description: string) => Type.String({ minLength: 1, format: 'path', description })

const ImageIdentity = Type.Object(
  {
    issuer: Type.String({
      minLength: 1,
      maxLength: 2048,
      description:
        'The exact issuer in the certificate, such as https://token.actions.githubusercontent.com.',
    }),
    subject: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 2048,
        description:
          'The exact subject alternative name: an e-mail address, or the URI of a workflow.',
      }),
    ),
    subjectPattern: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 2048,
        pattern: '^(?:[^*].*|\\*@[^*]+)$',
        description:
          'The whole of it, where `*` is one or more characters other than `/`. In place of `subject`. It begins with text, or is `*@` and a domain.',
      }),
    ),
  },
  { additionalProperties: false, description: 'Whose signature counts.' },
)
export type ImageIdentity = Static<typeof ImageIdentity>

const Registry = Type.Object(
  {
    name: Type.String({
      pattern: '^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?$',
      description:
        'As names of images begin: ghcr.io, registry.example.com:5000; docker.io for none.',
    }),
    url: Type.Optional(
      Type.String({
        format: 'uri',
        description: 'The origin that is asked. Default: https:// and the name.',
      }),
    ),
    token: Type.Optional(
      Type.Object(
        {
          url: Type.String({
            format: 'uri',
            description: 'Where tokens for this registry are given out.',
          }),
          service: Type.String({ minLength: 1, description: 'What they are asked for.' }),
        },
        {
          additionalProperties: false,
          description:
            'For a registry that wants a token even of strangers. What it answers itself (WWW-Authenticate) decides nothing.',
        },
      ),
    ),
    credentials: Type.Optional(
      path('File with `user:password`, read again on each use. Without it nobody logs in.'),
    ),
    blobs: Type.Optional(
      Type.Array(Type.String({ format: 'uri' }), {
        minItems: 1,
        uniqueItems: true,
        description:
          'Origins to which it may redirect the download of a blob. Default: none. Credentials do not go there.',
      }),
    ),
    ca: Type.Optional(path("PEM file, trusted in place of the system's roots.")),
    allowPrivate: Type.Optional(
      Type.Boolean({
        description: 'Let the registry be at a private or loopback address. Default: false.',
      }),
    ),
  },
  { additionalProperties: false, description: 'One registry of images.' },
)
export type RegistrySettings = Static<typeof Registry>

/** JSON Schema of `images` in a trust entry. */
export const ImageSettings = Type.Object(
  {
    trustedRoot: path(
      'File trusted_root.json of Sigstore, or of your own instance. It is read for each verification, and never fetched.',
    ),
    identities: Type.Array(ImageIdentity, {
      minItems: 1,
      maxItems: 100,
      description: 'Whose signatures count. One of them is enough for an image.',
    }),
    registries: Type.Array(Registry, {
      minItems: 1,
      maxItems: 100,
      description: 'The registries that are asked. Images of others stay unknown.',
    }),
  },
  {
    additionalProperties: false,
    description:
      'Verifies the signatures of the images that a pod runs, in the background. Needs the live copy of the cluster.',
  },
)
export type ImageSettings = Static<typeof ImageSettings>

/** The origin at which a registry is asked. */
export function originOf({ name, url }: RegistrySettings): string {
  return url ?? `https://${name}`
}

/** Reports every problem that needs more than one field to see. */
export function checkImages({ identities, registries }: ImageSettings, report: Report): void {
  for (const [index, { subject, subjectPattern }] of identities.entries()) {
    if ((subject === undefined) === (subjectPattern === undefined)) {
      report(['identities', index], 'must have exactly one of subject, subjectPattern')
    }
  }
  const names = registries.map(({ name }) => name)
  for (const [index, registry] of registries.entries()) {
    const at = (path: readonly (string | number)[], message: string) =>
      report(['registries', index, ...path], message)
    if (names.indexOf(registry.name) !== index) at(['name'], 'is there twice')
    checkRegistry(registry, at)
  }
}

function checkRegistry(registry: RegistrySettings, report: Report): void {
  const { url, token, blobs = [] } = registry
  const origins = [
    [['url'], url] as const,
    ...blobs.map((each, n) => [['blobs', n], each] as const),
  ]
  for (const [path, each] of origins) {
    if (each !== undefined && URL.parse(each)?.origin !== each) {
      report(path, 'must be an origin: scheme and host, nothing after them')
    }
  }
  for (const [path, each] of [...origins, [['token', 'url'], token?.url] as const]) {
    if (each !== undefined && !isHttps(each, registry.allowPrivate === true)) {
      report(path, 'needs an https URL (http: loopback, with allowPrivate)')
    }
  }
}

function isHttps(url: string, allowPrivate: boolean): boolean {
  const protocol = URL.parse(url)?.protocol
  return protocol === 'https:' || (protocol === 'http:' && allowPrivate)
}
