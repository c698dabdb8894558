/** The settings of one OpenID Connect issuer in the configuration. What its schema cannot say is in `check.ts`. */

import { type Static, Type } from 'typebox'
import { JwksSettings } from '../../src/net/keyreader.ts'
import { ALGORITHMS } from '../../src/net/signature.ts'
import { DURATION_PATTERN } from '../../src/units.ts'
import { PRESET_NAMES } from './presets/index.ts'
import { CLAIM_TYPES } from './typed.ts'

const strict = { additionalProperties: false }

const Require = Type.Record(
  Type.String({ pattern: '^.{1,256}$' }),
  // One text or a list of them, said without `anyOf`, so that a message names the one thing to mend.
  Type.Unsafe<string | readonly string[]>({
    type: ['string', 'array'],
    minLength: 1,
    minItems: 1,
    items: { type: 'string', minLength: 1 },
  }),
  {
    ...strict,
    minProperties: 1,
    description:
      'What a token must say: the text, or one of the texts, of each claim. A claim is a name or a JSON Pointer (/submods/gce/project_id).',
  },
)

/** JSON Schema of a trust entry of kind `oidc`. */
export const OidcSettings = Type.Object(
  {
    name: Type.String({
      pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$',
      description:
        'Our name for the issuer. Entity ids and subjects start with it: oidc://<name>/…',
    }),
    issuer: Type.String({
      minLength: 1,
      maxLength: 2048,
      description: 'The exact `iss` of its tokens.',
    }),
    jwks: Type.Optional(JwksSettings),
    preset: Type.Optional(
      Type.Enum([...PRESET_NAMES], {
        description: 'A platform whose claims are known: its facts, subject, lifetime and traps.',
      }),
    ),
    require: Type.Optional(Require),
    dedicated: Type.Optional(
      Type.Literal(true, {
        description: 'This issuer signs for us alone, so that `require` is not needed.',
      }),
    ),
    subject: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 512,
        description:
          'What a workload is called, made of claims: {repository_owner_id}/{repository_id}. Default: {sub}, or the preset’s.',
      }),
    ),
    claims: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_-]{0,63}$' }),
        Type.Enum([...CLAIM_TYPES]),
        {
          ...strict,
          description: 'Claims that become facts, with their types. Not with a preset.',
        },
      ),
    ),
    algorithms: Type.Optional(
      Type.Array(Type.Enum([...ALGORITHMS]), {
        minItems: 1,
        uniqueItems: true,
        description:
          'Signature algorithms taken from this issuer. Default: RS256; without a preset also ES256.',
      }),
    ),
    maxLifetime: Type.Optional(
      Type.String({
        pattern: DURATION_PATTERN,
        description:
          'The longest lifetime (exp minus iat) of a token that is taken. Default: 61m, or the preset’s.',
      }),
    ),
    replay: Type.Optional(
      Type.Union([Type.Literal('once'), Type.Literal('reusable')], {
        description:
          'Whether one token may be shown more than once. Default: reusable; once for github, gitlab, flyio and buildkite.',
      }),
    ),
  },
  { ...strict, description: 'An OpenID Connect issuer whose subjects may ask.' },
)
export type OidcSettings = Static<typeof OidcSettings>
