/**
 * The shape of what others are told by our word: the authorization servers that take ID-JAGs of ours (`chaining`), and the
 * trust domain that transaction tokens are for (`transactions`). They are read in `partners.ts`.
 */

import Type, { type Static } from 'typebox'
import { duration, NAME, NAME_TITLE, strict, text } from './parts.ts'

/** How long what is handed to others lives: minutes (draft-ietf-oauth-transaction-tokens §6). */
export const LIVES = { least: '30s', most: '10m', default: '5m' } as const

const scopes = Type.Optional(Type.Array(Type.String(), { maxItems: 1000 }))

const maxTtl = Type.Optional(duration(LIVES.default, `From ${LIVES.least} to ${LIVES.most}`))

const from = Type.Optional(
  Type.Record(
    Type.String({ minLength: 1, maxLength: 2048 }),
    Type.Record(Type.String(), Type.Array(Type.String(), { maxItems: 1000 })),
    {
      ...strict,
      description:
        'What the scopes of a token for one of our resources may become here, by its audience and scope',
    },
  ),
)

/** JSON Schema of an entry of `chaining`. */
export const ChainingSettings = Type.Object(
  {
    issuer: text('The exact issuer identifier of the other authorization server: `aud` of ID-JAGs'),
    clients: Type.Optional(
      Type.Record(Type.String({ minLength: 1, maxLength: 2048 }), text('Its client id there'), {
        ...strict,
        description:
          'By the canonical URI of a workload. One that is not here has its URI as client id',
      }),
    ),
    resources: Type.Array(
      Type.Object(
        {
          audience: text('The absolute URI of a resource that it serves: `resource` of ID-JAGs'),
          scopes,
          groups: Type.Optional(
            Type.Array(Type.String({ pattern: NAME, title: NAME_TITLE }), {
              maxItems: 100,
              description: 'Audience groups it is in: AudienceGroup::"…" in policies',
            }),
          ),
          maxTtl,
          sender: Type.Optional(Type.Enum(['bearer', 'dpop', 'mtls'])),
          from,
        },
        strict,
      ),
      { minItems: 1, maxItems: 1000 },
    ),
  },
  { ...strict, description: 'An authorization server that takes ID-JAGs of ours' },
)

/** JSON Schema of `transactions`. */
export const TransactionsSettings = Type.Object(
  {
    trustDomain: Type.String({
      pattern: '^[\\x21-\\x7e]{1,255}$',
      title: 'a name of at most 255 printable characters',
      description: 'The `aud` of transaction tokens; Audience::"…" in policies',
    }),
    scopes,
    maxTtl,
    servedBy: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: 10_000,
        description:
          'Canonical URIs of the workloads that may replace a transaction token which another one asked for',
      }),
    ),
    from,
  },
  { ...strict, description: 'The trust domain whose transaction tokens we issue' },
)

/** Both sections as written. */
export type RawChaining = Static<typeof ChainingSettings>
export type RawTransactions = Static<typeof TransactionsSettings>
