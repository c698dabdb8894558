import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { suite, test } from 'node:test'
import { gcp } from '../../attestors/gcp/index.ts'
import type { GcpSettings } from '../../attestors/gcp/settings.ts'
import { digestOf, parseJwt } from '../../src/net/jwt.ts'
import type { Reason } from '../../src/refusal.ts'
import { attestorContract } from '../contract.ts'
import { attest, refused, worldOf } from '../world/attest.ts'
import { TestClock } from '../world/clock.ts'
import { emptyDoor } from '../world/door.ts'
import {
  EMAIL,
  GCP_AUDIENCE,
  type GcpDraft,
  INSTANCE_ID,
  PROJECT_NUMBER,
  setGcpStage,
  UNIQUE_ID,
} from '../world/gcp.ts'
import { put } from '../world/kubernetes.ts'

attestorContract('gcp', (t) => setGcpStage(t))

test('a virtual machine’s token yields its service account and the machine', async (t) => {
  const { clock, issuer, attestor } = await setGcpStage(t)
  const token = issuer.mint()
  const identity = await attest(attestor, token, clock)
  const about = { grade: 'A', source: 'token', observedAt: clock.seconds() }
  const fact = (value: string | boolean) => ({ value, ...about })
  assert.deepEqual(identity, {
    kind: 'gcp',
    trust: 'gcp:google',
    uri: `gcp://sa/${UNIQUE_ID}`,
    principal: { type: 'GcpServiceAccount', id: UNIQUE_ID },
    ancestry: [],
    facts: {
      uniqueId: fact(UNIQUE_ID),
      email: fact(EMAIL),
      'instance.project': fact('acme-prod'),
      'instance.projectNumber': fact(String(PROJECT_NUMBER)),
      'instance.id': fact(INSTANCE_ID),
      'instance.name': fact('settle-1'),
      'instance.zone': fact('europe-west3-a'),
      'instance.confidential': fact(true),
    },
    issuedAt: clock.seconds(),
    expiresAt: clock.seconds() + 3600,
    replay: { policy: 'reusable', key: digestOf(parseJwt(token)) },
    lineage: [`gcp-sa:${UNIQUE_ID}`, `gcp-instance:${PROJECT_NUMBER}/${INSTANCE_ID}`],
  })
})

type Change = (token: GcpDraft) => void
const claim =
  (name: string, value: unknown): Change =>
  ({ claims }) =>
    put(claims, name, value)
const without =
  (name: string): Change =>
  ({ claims }) =>
    void delete claims[name]
const machine =
  (name: string, value: unknown): Change =>
  (token) =>
    put(token.machine, name, value)
const both = (first: Change, second: Change): Change => {
  return (token) => {
    first(token)
    second(token)
  }
}

suite('good evidence of other shapes', () => {
  const admitted: readonly (readonly [string, Partial<GcpSettings>, Change])[] = [
    ['an account by e-mail address', { serviceAccounts: [EMAIL] }, () => {}],
    ['an account on no machine', {}, without('google')],
    ['a claim of Google that names no machine', {}, claim('google', { license_id: ['1'] })],
    [
      'an account that keeps its address to itself',
      {},
      both(without('email'), without('email_verified')),
    ],
    [
      'an account that asks with a key of its own',
      {},
      both(without('google'), claim('azp', EMAIL)),
    ],
    ['a machine of a project by number', { projects: [String(PROJECT_NUMBER)] }, () => {}],
    ['a machine of a project by id', { projects: ['acme-test', 'acme-prod'] }, () => {}],
    [
      'a machine that does not say whether it is confidential',
      {},
      machine('instance_confidentiality', undefined),
    ],
  ]
  for (const [what, settings, change] of admitted) {
    test(`${what} is taken`, async (t) => {
      const { clock, issuer, attestor } = await setGcpStage(t, settings)
      const { principal } = await attest(attestor, issuer.mint(change), clock)
      assert.equal(principal.id, UNIQUE_ID)
    })
  }

  test('what is not stated is no fact', async (t) => {
    const { clock, issuer, attestor } = await setGcpStage(t)
    const { facts, lineage } = await attest(attestor, issuer.mintWithoutMachine(), clock)
    assert.deepEqual(Object.keys(facts), ['uniqueId', 'email'])
    assert.deepEqual(lineage, [`gcp-sa:${UNIQUE_ID}`])
  })

  test('instance ids above 2^53 stay apart', async (t) => {
    const { clock, issuer, attestor } = await setGcpStage(t)
    const ids = ['9007199254740992001', '9007199254740992002']
    const found = ids.map(async (id) => {
      const { facts } = await attest(attestor, issuer.mint(machine('instance_id', id)), clock)
      return facts['instance.id']?.value
    })
    assert.deepEqual(await Promise.all(found), ids)
  })
})

type Row = readonly [what: string, breakIt: Change, reason: Reason, settings?: Partial<GcpSettings>]

const STRANGER = '109876543210987654321'
const OTHER_EMAIL = 'reports@acme-prod.iam.gserviceaccount.com'
const PROJECTS = { projects: ['acme-prod'] }
const asStranger = both(claim('sub', STRANGER), claim('azp', STRANGER))

const ROWS: readonly Row[] = [
  [
    'an account that nobody listed',
    both(asStranger, claim('email', OTHER_EMAIL)),
    'subject_untrusted',
  ],
  ['an account of the listed address under another id', asStranger, 'subject_untrusted'],
  [
    'another address of an account that is listed by address',
    claim('email', OTHER_EMAIL),
    'subject_untrusted',
    { serviceAccounts: [EMAIL] },
  ],
  ['an address that is not verified', claim('email_verified', false), 'claim_invalid'],
  ['an address that is verified in words', claim('email_verified', 'true'), 'claim_invalid'],
  ['an address without a word on it', without('email_verified'), 'claim_invalid'],
  ['an address in a list', claim('email', [EMAIL]), 'claim_invalid'],
  ['another party that asked', claim('azp', STRANGER), 'subject_mismatched'],
  ['nobody who asked', without('azp'), 'subject_mismatched'],
  ['no sub', without('sub'), 'claim_invalid'],
  ['a sub that is an address', claim('sub', EMAIL), 'claim_invalid'],
  ['a sub that is a number', claim('sub', Number(UNIQUE_ID)), 'claim_invalid'],
  ['the legacy issuer without scheme', claim('iss', 'accounts.google.com'), 'issuer_untrusted'],
  [
    'the issuer of Confidential Space',
    claim('iss', 'https://confidentialcomputing.googleapis.com'),
    'issuer_untrusted',
  ],
  ['a lifetime of 3661 s', claim('exp', 1_800_003_661), 'lifetime_excessive'],
  ['an address of somebody at Gmail', claim('email', 'ada@gmail.com'), 'token_personal'],
  [
    'an address that ends like ours',
    claim('email', 'a@gserviceaccount.com.evil.example'),
    'token_personal',
  ],
  ['a workspace domain', claim('hd', 'example.com'), 'token_personal'],
  ['google in a list', claim('google', []), 'claim_invalid'],
  ['a machine that is null', claim('google', { compute_engine: null }), 'claim_invalid'],
  ['an instance id that is a number', machine('instance_id', 8087716956832600000), 'claim_invalid'],
  [
    'a project number in a string',
    machine('project_number', String(PROJECT_NUMBER)),
    'claim_invalid',
  ],
  ['a project number of 1e308', machine('project_number', 1e308), 'claim_invalid'],
  ['a project id with a slash', machine('project_id', 'acme/prod'), 'claim_invalid'],
  ['no zone', machine('zone', undefined), 'claim_invalid'],
  ['a confidentiality of 2', machine('instance_confidentiality', 2), 'claim_invalid'],
  [
    'a machine of another project',
    both(machine('project_id', 'acme-test'), machine('project_number', 7)),
    'subject_untrusted',
    PROJECTS,
  ],
  ['no machine where projects are listed', without('google'), 'token_unbound', PROJECTS],
  [
    'a machine of a listed project with an account that is not',
    () => {},
    'subject_untrusted',
    { ...PROJECTS, serviceAccounts: [STRANGER] },
  ],
]

suite('start from good evidence, break one thing', () => {
  for (const [what, breakIt, reason, settings = {}] of ROWS) {
    test(`${what} is refused as ${reason}`, async (t) => {
      const { clock, issuer, attestor } = await setGcpStage(t, settings)
      const refusal = await refused(attest(attestor, issuer.mint(breakIt), clock), reason)
      assert.notDeepEqual(refusal.detail, {}, 'an operator must be able to mend it')
    })
  }

  test('a person’s ID token is token_personal, even one for our audience', async (t) => {
    const { clock, issuer, attestor } = await setGcpStage(t)
    await refused(attest(attestor, issuer.mintForPerson(), clock), 'token_personal')
    const ours = issuer.mintForPerson(({ claims }) => put(claims, 'aud', GCP_AUDIENCE))
    await refused(attest(attestor, ours, clock), 'token_personal')
  })

  test('an access token, which is no JWT, is token_malformed', async (t) => {
    const { clock, attestor } = await setGcpStage(t)
    await refused(attest(attestor, 'ya29.a0AS3H6Nx-opaque', clock), 'token_malformed')
  })
})

suite('CVE-2020-16251: a service account signs machine claims with a key of its own', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const own = {
    alg: 'RS256' as const,
    kid: 'service-account-key',
    publicKey,
    jwk: {},
    sign: (input: string) => sign('sha256', Buffer.from(input), privateKey),
  }

  test('under its own issuer it is issuer_untrusted', async (t) => {
    const { clock, issuer, attestor } = await setGcpStage(t, PROJECTS)
    const forged = issuer.mint(claim('iss', EMAIL), own)
    await refused(attest(attestor, forged, clock), 'issuer_untrusted')
  })

  test('under Google’s issuer its key is unknown, and under Google’s kid it verifies nothing', async (t) => {
    const { clock, issuer, attestor } = await setGcpStage(t, PROJECTS)
    await refused(
      attest(
        attestor,
        issuer.mint(() => {}, own),
        clock,
      ),
      'key_unknown',
    )
    const disguised = issuer.mint(() => {}, { ...own, kid: issuer.signer.kid })
    await refused(attest(attestor, disguised, clock), 'signature_invalid')
  })
})

suite('settings for Google Cloud', () => {
  const check = (settings: GcpSettings) => {
    const paths: string[] = []
    gcp.check(settings, (path) => paths.push(path.join('.')))
    return paths
  }

  test('need accounts or projects, and one key source', () => {
    assert.deepEqual(check({ serviceAccounts: [EMAIL] }), [])
    assert.deepEqual(check(PROJECTS), [])
    assert.deepEqual(check({}), [''])
    assert.deepEqual(check({ ...PROJECTS, jwks: {} }), ['jwks'])
  })

  test('without jwks mean Google’s own key set', async (t) => {
    const { asked, door } = emptyDoor()
    const world = { ...worldOf(new TestClock()), door }
    const attestor = gcp.create(PROJECTS, { trust: 'gcp:g', audience: 'a' }, world, () => null)
    t.after(() => attestor.close())
    await attestor.start()
    assert.equal(asked[0]?.url, 'https://www.googleapis.com/oauth2/v3/certs')
  })
})
