import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Attestor } from '../src/identity.ts'
import type { UnverifiedJwt } from '../src/net/jwt.ts'
import { trustTable } from '../src/trust.ts'

function attestor(trust: string, issuers: readonly string[], audience: string): Attestor {
  return { trust, issuers, audience } as Attestor
}

function jwt(claims: Record<string, unknown>): UnverifiedJwt {
  return { claims } as unknown as UnverifiedJwt
}

const A = attestor('kubernetes:a', ['https://shared'], 'https://us/a')
const B = attestor('kubernetes:b', ['https://shared'], 'https://us/b')
const C = attestor('kubernetes:c', ['https://other/'], 'https://us')
const TABLE = trustTable([A, B, C])

test('entries that share an issuer are told apart by the sole audience', () => {
  assert.equal(TABLE.select(jwt({ iss: 'https://shared', aud: 'https://us/a' })), A)
  assert.equal(TABLE.select(jwt({ iss: 'https://shared', aud: 'https://us/b' })), B)
  assert.equal(TABLE.select(jwt({ iss: 'https://shared', aud: ['https://us/b'] })), B)
})

test('an entry whose platform fixes audiences is selected by any one of them, not by several', () => {
  const audiences = ['api://one', 'api://two']
  const fixed = { ...attestor('azure:t', ['https://shared'], 'api://one'), audiences }
  const table = trustTable([A, fixed])
  for (const aud of [...audiences, ['api://two']]) {
    assert.equal(table.select(jwt({ iss: 'https://shared', aud })), fixed)
  }
  assert.equal(table.select(jwt({ iss: 'https://shared', aud: audiences })), A)
})

test('the wrong audience goes to an entry of the issuer, which refuses it', () => {
  for (const aud of ['https://us', ['https://us/a', 'https://us/b'], [], undefined, null, 7]) {
    assert.equal(TABLE.select(jwt({ iss: 'https://shared', aud })), A)
  }
})

test('an issuer is compared byte by byte', () => {
  assert.equal(TABLE.select(jwt({ iss: 'https://other/', aud: 'https://us' })), C)
  for (const iss of [
    'https://other',
    'https://OTHER/',
    'https://other/ ',
    '',
    undefined,
    null,
    ['https://other/'],
  ]) {
    assert.throws(() => TABLE.select(jwt({ iss, aud: 'https://us' })), {
      reason: 'issuer_untrusted',
    })
  }
})

test('an entry that learns its issuer answers for it from then on, and until then for its audience', () => {
  const late = attestor('kubernetes:late', [], 'https://us/late')
  const table = trustTable([late, A])
  const own = jwt({ iss: 'https://late', aud: 'https://us/late' })
  assert.equal(table.select(own), late)
  assert.throws(() => table.select(jwt({ iss: 'https://late', aud: 'https://us' })), {
    reason: 'issuer_untrusted',
  })
  assert.equal(table.select(jwt({ iss: 'https://shared', aud: 'https://us/late' })), A)
  Object.assign(late, { issuers: ['https://late'] })
  assert.equal(table.select(own), late)
  assert.throws(() => table.select(jwt({ iss: 'https://other', aud: 'https://us/late' })), {
    reason: 'issuer_untrusted',
  })
})

suite('a JWT-SVID', () => {
  const ours = {
    ...attestor('spiffe:example.org', ['spiffe://example.org'], 'https://us'),
    kind: 'spiffe',
  }
  const theirs = attestor('spiffe:example.com', ['spiffe://example.com'], 'https://us')
  const pods = {
    ...attestor('kubernetes:pods', ['https://pods'], 'https://us'),
    kind: 'kubernetes',
  }
  const late = attestor('kubernetes:late', [], 'https://us')
  const table = trustTable([late, pods, theirs, ours])
  const svid = (claims: Record<string, unknown>) =>
    jwt({ sub: 'spiffe://example.org/a', aud: 'https://us', ...claims })

  test('is for the entry of the trust domain in its sub', () => {
    assert.equal(table.select(svid({})), ours)
    assert.equal(table.select(svid({ sub: 'spiffe://example.com/a' })), theirs)
    assert.equal(table.select(svid({ aud: 'https://other' })), ours)
  })

  test('may have an iss, which counts where an entry has it', () => {
    assert.equal(table.select(svid({ iss: 'https://oidc.example.org' })), ours)
    assert.equal(table.select(svid({ iss: 'https://pods' })), pods)
    assert.equal(table.select(svid({ iss: 7 })), ours)
  })

  test('of another trust domain, or with a sub that is no SPIFFE ID, is not for it', () => {
    const only = trustTable([ours])
    for (const sub of [
      'spiffe://example.orgx/a',
      'spiffe://example.org/a/',
      'spiffe://EXAMPLE.org/a',
      'spiffe://example.org:443/a',
      'example.org',
      ['spiffe://example.org/a'],
      undefined,
    ]) {
      assert.throws(() => only.select(svid({ sub })), { reason: 'issuer_untrusted' })
    }
    assert.throws(() => only.select(svid({ sub: 'spiffe://other/a' })), {
      detail: { found: 'spiffe://other', trusted: ['spiffe://example.org'] },
    })
  })

  test('is for the same entry, whatever the caller calls it', () => {
    assert.equal(table.select(svid({}), 'spiffe'), ours)
    assert.throws(() => table.select(svid({ iss: 'https://pods' }), 'spiffe'), {
      reason: 'type_refused',
      detail: { expected: 'spiffe', found: 'kubernetes:pods' },
    })
  })
})

suite('entries that share an issuer and an audience', () => {
  const owned = (trust: string, owner: string): Attestor => ({
    ...attestor(trust, ['https://ci'], 'https://us'),
    matches: (claims) => claims['owner'] === owner,
  })
  const ours = owned('oidc:ours', '1')
  const theirs = owned('oidc:theirs', '2')
  const elsewhere = attestor('oidc:elsewhere', ['https://ci'], 'https://us/else')
  const table = trustTable([elsewhere, ours, theirs])
  const of = (claims: Record<string, unknown>) =>
    jwt({ iss: 'https://ci', aud: 'https://us', ...claims })

  test('are told apart by what they require', () => {
    assert.equal(table.select(of({ owner: '1' })), ours)
    assert.equal(table.select(of({ owner: '2' })), theirs)
  })

  test('all refuse what none requires: the first is asked, and says why', () => {
    assert.equal(table.select(of({ owner: '3' })), ours)
    assert.equal(table.select(of({})), ours)
  })

  test('do not share another audience', () => {
    assert.equal(table.select(of({ aud: 'https://us/else', owner: '1' })), elsewhere)
    assert.equal(table.select(of({ aud: 'https://other', owner: '2' })), elsewhere)
  })

  test('are asked neither of them when both match: exactly one must', () => {
    const twice = trustTable([ours, owned('oidc:again', '1'), theirs])
    assert.throws(() => twice.select(of({ owner: '1' })), {
      reason: 'entry_ambiguous',
      detail: { entries: ['oidc:ours', 'oidc:again'] },
    })
    const careless = trustTable([ours, attestor('oidc:all', ['https://ci'], 'https://us')])
    assert.throws(() => careless.select(of({ owner: '1' })), { reason: 'entry_ambiguous' })
  })
})

test('an untrusted issuer costs a short detail, however many are trusted', () => {
  const many = Array.from({ length: 1_000 }, (_, n) =>
    attestor(`k:${n}`, [`https://issuer-${n}`], 'https://us'),
  )
  assert.throws(
    () => trustTable(many).select(jwt({ iss: 'https://x' })),
    (error: Error & { detail: { trusted: string[] } }) => {
      assert.equal(error.detail.trusted.length, 11)
      assert.equal(error.detail.trusted.at(-1), 'and 990 more')
      return true
    },
  )
})
