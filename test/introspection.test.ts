/** What is said to whom: bound tokens and their holders, what was revoked, and nothing when nobody can tell. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { accessTokens } from '../src/accesstoken.ts'
import type { Caller } from '../src/caller.ts'
import type { Grant } from '../src/grant.ts'
import { type Form, introspect } from '../src/introspection.ts'
import type { SigningKeys } from '../src/keys.ts'
import { nameOf } from '../src/lineage.ts'
import { FORMATS } from '../src/policy/question.ts'
import { type Held, UNBOUND } from '../src/possession.ts'
import { Refusal } from '../src/refusal.ts'
import type { Revocation } from '../src/store/store.ts'
import { freshKeys, GRANT, ISSUED_AT, TOKEN_ISSUER, tokenOf } from './world/signing.ts'

const SERVER = 'k8s://prod-eu/ns/mcp/sa/server'
const SHOWN = {
  id: 'request-1',
  sourceIp: null,
  endpoint: 'x',
  assertion: null,
  clientId: null,
  authorization: null,
  proofs: null,
}
const JKT = { jkt: 'the thumbprint of a key' }
const X5T = { 'x5t#S256': 'the thumbprint of a key' }
const BY_DPOP: Held = { sender: 'dpop', confirmation: JKT, proof: null }
const BY_MTLS: Held = { sender: 'mtls', confirmation: X5T, proof: null }

type Asking = {
  readonly uri?: string
  readonly held?: Held
  readonly form?: Form
  /** A name that is revoked. */
  readonly revoked?: string
  readonly stale?: boolean
}

/** Asks as a caller that was identified, and counts how often one was. */
function asking(keys: SigningKeys, options: Asking = {}) {
  const { uri = SERVER, held = UNBOUND, form = 'json' } = options
  let identified = 0
  const rooms = {
    issuer: TOKEN_ISSUER,
    tokens: accessTokens(TOKEN_ISSUER, keys),
    keys,
    callers: {
      async identify(): Promise<Caller> {
        identified += 1
        return { uri, held, identity: null, token: null }
      },
    },
    revocations: {
      insist() {
        if (options.stale === true) throw new Refusal('revocations_stale')
      },
      revoked: (names: Iterable<string>) =>
        [...names].some((name) => name === options.revoked) ? ({} as Revocation) : null,
    },
    servedBy: (audience: string) => (audience === GRANT.audience ? [SERVER] : []),
    seconds: () => ISSUED_AT + 10,
  }
  return {
    say: (token: string) => introspect(rooms, { caller: SHOWN, token, form }),
    identified: () => identified,
  }
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
const INACTIVE = { active: false, form: 'json', body: { active: false } }

/** What the token is bound to, the key that its holder has proved, whether it learns anything. */
const HOLDERS: readonly (readonly [string, Grant['confirmation'], Held, boolean])[] = [
  ['of a bearer token', null, UNBOUND, true],
  ['of a bearer token with a key', null, BY_DPOP, true],
  ['of a DPoP-bound token with its key', JKT, BY_DPOP, true],
  ['of a DPoP-bound token without a key', JKT, UNBOUND, false],
  ['of a DPoP-bound token with another key', { jkt: 'another' }, BY_DPOP, false],
  ['of a DPoP-bound token with a certificate', JKT, BY_MTLS, false],
  ['of a certificate-bound token with its certificate', X5T, BY_MTLS, true],
  ['of a certificate-bound token without', X5T, UNBOUND, false],
]

for (const [who, confirmation, held, learns] of HOLDERS) {
  test(`the client ${who} learns ${learns ? 'what it says' : 'nothing'}; the server of its audience does`, async (t) => {
    const keys = await freshKeys(t)
    for (const format of FORMATS) {
      const token = tokenOf(keys, { confirmation, format })
      const found = await asking(keys, { uri: GRANT.clientId, held }).say(token)
      assert.equal(found.active, learns)
      if (!learns) assert.deepEqual(found, INACTIVE)
      assert.equal((await asking(keys).say(token)).active, true)
    }
  })
}

test('what a bound token says names its key, and the type that it is used with', async (t) => {
  const keys = await freshKeys(t)
  for (const [cnf, type] of [
    [JKT, 'DPoP'],
    [X5T, 'Bearer'],
  ] as const) {
    const found = await asking(keys).say(tokenOf(keys, { confirmation: cnf }))
    const { body } = found as { body: Record<string, unknown> }
    assert.deepEqual(plain(body['cnf']), cnf)
    assert.equal(body['token_type'], type)
  }
})

test('a token that any name of is revoked is not active, in any form', async (t) => {
  const keys = await freshKeys(t)
  const { kid } = keys.signer(ISSUED_AT)
  const names = [
    nameOf('token', 'jti-1'),
    nameOf('sub', GRANT.subject),
    nameOf('actor', GRANT.clientId),
    nameOf('key', kid),
    GRANT.lineage[1] ?? '',
  ]
  for (const revoked of names) {
    for (const format of FORMATS) {
      const token = tokenOf(keys, { format })
      assert.deepEqual(await asking(keys, { revoked }).say(token), INACTIVE)
      assert.deepEqual(await asking(keys, { revoked, form: 'token' }).say(token), INACTIVE)
      const signed = await asking(keys, { revoked, form: 'statement' }).say(token)
      const { token_introspection: said } = decodeJwt((signed as { jws: string }).jws)
      assert.deepEqual(said, { active: false })
    }
  }
  assert.equal((await asking(keys, { revoked: 'another' }).say(tokenOf(keys))).active, true)
})

test('when nobody can tell what was revoked, nothing is said and nothing is spent', async (t) => {
  const keys = await freshKeys(t)
  const { say, identified } = asking(keys, { stale: true })
  await assert.rejects(say(tokenOf(keys)), { reason: 'revocations_stale' })
  await assert.rejects(say('x'), { reason: 'revocations_stale' })
  assert.equal(identified(), 0)
})

test('a signed answer is for the caller alone, and is taken for an access token by nobody', async (t) => {
  const keys = await freshKeys(t)
  const token = tokenOf(keys)
  const found = await asking(keys, { form: 'statement' }).say(token)
  const { jws } = found as { jws: string }
  const { kid } = keys.signer(ISSUED_AT)
  assert.deepEqual(decodeProtectedHeader(jws), {
    alg: 'ES256',
    typ: 'token-introspection+jwt',
    kid,
  })
  assert.deepEqual(decodeJwt(jws), {
    iss: TOKEN_ISSUER,
    aud: SERVER,
    iat: ISSUED_AT + 10,
    token_introspection: { ...decodeJwt(token), active: true, token_type: 'Bearer' },
  })
  assert.throws(() => accessTokens(TOKEN_ISSUER, keys).read(jws, ISSUED_AT), {
    reason: 'type_refused',
  })
})

suite('property', () => {
  const uri = fc.stringMatching(/^k8s:\/\/[a-z]{1,9}\/ns\/[a-z]{1,9}\/sa\/[a-z]{1,9}$/)
  const name = fc.stringMatching(/^[A-Za-z0-9_-]{16}$/)
  const text = fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: 'binary', maxLength: 9 }))
  const grants: fc.Arbitrary<Partial<Grant>> = fc.record({
    subject: uri,
    clientId: uri,
    scopes: fc.uniqueArray(fc.stringMatching(/^[!#-[\]-~]{1,12}$/), { maxLength: 6 }),
    issuedAt: fc.integer({ min: ISSUED_AT - 900, max: ISSUED_AT }),
    expiresAt: fc.integer({ min: ISSUED_AT + 11, max: ISSUED_AT + 86_400 }),
    confirmation: fc.constantFrom(null, JKT, X5T),
    lineage: fc.array(name, { maxLength: 8 }),
    claims: fc.dictionary(
      fc.constantFrom('team', 'pod', 'x:y', '__proto__', 'constructor'),
      fc.oneof(text, fc.integer(), fc.boolean(), fc.array(text, { maxLength: 4 })),
      { noNullPrototype: false },
    ),
  })

  test('what introspection says of a token is its payload, claim for claim, in both formats', async (t) => {
    const keys = await freshKeys(t)
    const { say } = asking(keys)
    await fc.assert(
      fc.asyncProperty(grants, async (change) => {
        const [, payload = ''] = tokenOf(keys, change).split('.')
        const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
        for (const format of FORMATS) {
          const found = await say(tokenOf(keys, { ...change, format }))
          const {
            active,
            token_type: type,
            ...said
          } = (found as { body: Record<string, unknown> }).body
          assert.equal(active, true)
          assert.equal(type, change.confirmation === JKT ? 'DPoP' : 'Bearer')
          assert.deepEqual(plain(said), claims)
        }
      }),
    )
  })

  test('a phantom token has the payload of the JWT', async (t) => {
    const keys = await freshKeys(t)
    const { say } = asking(keys, { form: 'token' })
    await fc.assert(
      fc.asyncProperty(grants, async (change) => {
        const found = await say(tokenOf(keys, { ...change, format: 'opaque' }))
        const { jws } = found as { jws: string }
        assert.deepEqual(decodeProtectedHeader(jws).typ, 'at+jwt')
        assert.deepEqual(decodeJwt(jws), decodeJwt(tokenOf(keys, change)))
      }),
    )
  })
})
