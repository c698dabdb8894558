/** X.509-SVIDs at the token endpoint: what is taken for one, who must be named, and what the token is bound to. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import Fastify from 'fastify'
import { decodeJwt } from 'jose'
import { certificateJudge } from '../../src/clientcertificate.ts'
import { exchange } from '../../src/exchange.ts'
import { certificateReader } from '../../src/http/certificates.ts'
import { errorHandler } from '../../src/http/errors.ts'
import { parseFormBody, tokenRoute } from '../../src/http/token.ts'
import type { Evidence } from '../../src/identity.ts'
import { nonces } from '../../src/nonce.ts'
import { possession, thumbprint } from '../../src/possession.ts'
import type { Reason } from '../../src/refusal.ts'
import type { Vouching } from '../../src/vouching.ts'
import { issue } from '../world/authority.ts'
import { RESOURCE } from '../world/broker.ts'
import { startMachines } from '../world/machines.ts'
import { PLANNER } from '../world/spiffe.ts'

const FORM = 'application/x-www-form-urlencoded'
const root = issue('spire', undefined, { kind: 'P-256' })
const leaf = issue('planner', root, { kind: 'P-256', authority: false })
const corporate = issue('corporate clients', undefined, { kind: 'P-256' })

const base64 = (der: Buffer) => der.toString('base64')
const SHOWN = {
  'client-cert': `:${base64(leaf.der)}:`,
  'client-cert-chain': `:${base64(root.der)}:`,
}
const GOOD = {
  grant_type: 'client_credentials',
  client_id: PLANNER,
  resource: RESOURCE,
  scope: 'trades:read',
}

/**
 * The token endpoint of an exchange in which whoever takes X.509-SVIDs finds the planner in any. Only certificates of
 * the corporate authority bind, unless they are credentials.
 */
async function start(t: TestContext, clientCertHeader: 'bind' | 'identify' = 'identify') {
  const { rooms, issuer, document, events } = await startMachines(t)
  const seen: Evidence[] = []
  const vouching: Vouching = {
    async prepare({ evidence }, now, tell) {
      seen.push(evidence)
      const attestation = { role: 'attestation', carrier: 'attestation', format: 'nitro' } as const
      const found = await rooms.vouching.prepare(
        {
          evidence: { role: 'workload', carrier: 'assertion', value: issuer.mint() },
          attestation: { ...attestation, value: document() },
        },
        now,
        tell,
      )
      return { verify: (then) => ({ ...found.verify(then), uri: PLANNER }) }
    },
  }
  const prove = possession(
    nonces('a secret of at least thirty-two characters', randomBytes),
    certificateJudge(() => [corporate.read()]),
  )
  const app = Fastify()
  t.after(() => app.close())
  const refusals: string[] = []
  app.addContentTypeParser(FORM, { parseAs: 'string' }, parseFormBody)
  app.setErrorHandler(errorHandler({ refused: (reason) => void refusals.push(reason) }))
  tokenRoute(app, '/token', {
    exchange: (asked) => exchange({ ...rooms, vouching, prove }, asked),
    certificates: certificateReader({ trustedProxies: ['127.0.0.1/32'], clientCertHeader }),
    meter: { issued() {} },
    bodyLimitBytes: 65_536,
    endpoint: 'https://as.example/token',
    newNonce: () => '',
  })
  const ask = async (change: Record<string, string | null> = {}, headers: object = SHOWN) => {
    const fields = Object.entries({ ...GOOD, ...change }).filter(([, value]) => value !== null)
    const payload = new URLSearchParams(fields as [string, string][]).toString()
    const sent = { 'content-type': FORM, ...headers }
    const answer = await app.inject({ method: 'POST', url: '/token', headers: sent, payload })
    return { status: answer.statusCode, body: answer.json() as Record<string, unknown> }
  }
  return { ask, seen, events, reason: () => refusals.at(-1) }
}

test('a certificate and a SPIFFE ID are a credential, and the token is bound to the certificate', async (t) => {
  const { ask, seen, events } = await start(t)
  const { status, body } = await ask()
  assert.equal(status, 200, JSON.stringify(body))
  const claims = decodeJwt(String(body['access_token']))
  assert.equal(claims['client_id'], PLANNER)
  assert.deepEqual(claims['cnf'], { 'x5t#S256': thumbprint(leaf.der) })
  assert.deepEqual(seen, [
    {
      role: 'workload',
      carrier: 'certificate',
      format: 'x509-svid',
      value: `${base64(leaf.der)}.${base64(root.der)}`,
    },
  ])
  assert.equal(events.at(-1)?.question?.sender, 'mtls')
})

const EXCHANGE = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token: 'x.y.z',
  subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
}

test('whoever holds it may also be the actor of an exchange', async (t) => {
  const { ask, seen, reason } = await start(t)
  assert.equal((await ask(EXCHANGE)).status, 400)
  assert.equal(reason(), 'token_malformed', 'only the subject token is at fault')
  assert.deepEqual(
    seen.map(({ role, carrier }) => [role, carrier]),
    [['actor', 'certificate']],
  )
})

type Row = readonly [
  what: string,
  change: Record<string, string | null>,
  headers: object,
  wire: readonly [status: number, error: string],
  reason: Reason,
]

const TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe'
const MISSING = [400, 'invalid_request'] as const
const UNKNOWN = [401, 'invalid_client'] as const
const over = issue('planner', root, { kind: 'P-256', authority: false, until: '20261231235959Z' })

// biome-ignore format: a table, one row a line
const rows: readonly Row[] = [
  ['the name of another workload', { client_id: `${PLANNER}/x` }, SHOWN, UNKNOWN, 'client_mismatched'],
  ['the name in another spelling', { client_id: PLANNER.replace('spiffe', 'SPIFFE') }, SHOWN, MISSING, 'parameter_missing'],
  ['no name', { client_id: null }, SHOWN, MISSING, 'parameter_missing'],
  ['a name that is no SPIFFE ID', { client_id: 'https://planner.example' }, SHOWN, MISSING, 'parameter_missing'],
  ['a name without a certificate', {}, {}, MISSING, 'parameter_missing'],
  ['an assertion type beside it', { client_assertion_type: TYPE }, SHOWN, MISSING, 'parameter_missing'],
  ['an assertion beside it', { assertion: 'x' }, SHOWN, MISSING, 'credentials_ambiguous'],
  ['a grant that needs an assertion', { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer' }, SHOWN, MISSING, 'parameter_missing'],
  ['an exchange without a certificate', EXCHANGE, {}, MISSING, 'parameter_missing'],
  ['an exchange in the name of another', { ...EXCHANGE, client_id: `${PLANNER}/x` }, SHOWN, UNKNOWN, 'client_mismatched'],
  ['a client secret beside it', { client_secret: 'x' }, SHOWN, MISSING, 'credentials_ambiguous'],
  ['a certificate that is over', {}, { 'client-cert': `:${base64(over.der)}:` }, UNKNOWN, 'certificate_refused'],
  ['what is no certificate', {}, { 'client-cert': ':AAAA:' }, UNKNOWN, 'certificate_malformed'],
]

for (const [what, change, headers, [status, error], reason] of rows) {
  test(`refused: ${what}`, async (t) => {
    const stage = await start(t)
    const answer = await stage.ask(change, headers)
    assert.deepEqual([answer.status, answer.body['error'], stage.reason()], [status, error, reason])
  })
}

test('a client assertion stands by itself: a certificate beside it has to be of the corporate authority', async (t) => {
  const { ask, seen, reason } = await start(t)
  const assertion = { client_assertion_type: TYPE, client_assertion: 'x' }
  assert.equal((await ask(assertion)).status, 401)
  assert.equal(reason(), 'certificate_refused')
  assert.deepEqual(seen, [])
})

test('a certificate that a proxy forwards is no credential unless the operator says that proxies can be believed so far', async (t) => {
  const { ask, seen, reason } = await start(t, 'bind')
  assert.equal((await ask()).status, 400)
  assert.equal(reason(), 'parameter_missing')
  assert.deepEqual(seen, [])
})
