/** Client-Cert from a proxy that may let everybody's pass: certificates are public, and naming one is not holding its key. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { thumbprint } from '../../src/possession.ts'
import { issue } from '../world/authority.ts'
import { ACCESS_TOKEN, startDelegation } from '../world/delegation.ts'

const CERTIFICATE = issue('owner', undefined, { kind: 'P-256', authority: false })
const HEADER = { 'client-cert': `:${CERTIFICATE.der.toString('base64')}:` }

/** Injected requests come from 127.0.0.1. */
function behind(t: TestContext, clientCertHeader: string, pin = 'off') {
  const listen = { host: '127.0.0.1', trustedProxies: ['127.0.0.1/32'], clientCertHeader }
  return startDelegation(t, { settings: { listen }, trust: { pin } })
}

const RULES = [
  ['bind', [400, 'invalid_request']],
  ['identify', [200, undefined]],
] as const

for (const [rule, expected] of RULES) {
  test(`${rule}: a copied header and a bound token that was seen`, async (t) => {
    const world = await behind(t, rule)
    const { ask, form, actor, exchangeForm } = world
    const own = await ask(form({ assertion: actor('planner') }), HEADER)
    const subject_token = String(own.body['access_token'])
    assert.deepEqual(decodeJwt(subject_token)['cnf'], { 'x5t#S256': thumbprint(CERTIFICATE.der) })
    const seen = exchangeForm({
      subject_token,
      subject_token_type: ACCESS_TOKEN,
      actor_token: actor('helper'),
    })
    const { status, body } = await ask(seen, HEADER)
    assert.deepEqual([status, body['error']], expected)
  })

  test(`${rule}: a copied header and a person’s bound token that was seen`, async (t) => {
    const { ask, idToken, exchangeForm } = await behind(t, rule)
    const cnf = { 'x5t#S256': thumbprint(CERTIFICATE.der) }
    const subject_token = idToken(({ claims }) => Object.assign(claims, { cnf }))
    const { status, body } = await ask(exchangeForm({ subject_token }), HEADER)
    assert.deepEqual([status, body['error']], expected)
  })
}

test('bind: a header that anybody may copy pins nothing, and is no key where one is required', async (t) => {
  for (const [rule, pin, expected] of [
    ['bind', 'required', [400, 400]],
    ['bind', 'when-offered', [200, 200]],
    ['identify', 'required', [200, 400]],
    ['identify', 'when-offered', [200, 400]],
  ] as const) {
    const { ask, form } = await behind(t, rule, pin)
    const sent = form()
    const first = await ask(sent, HEADER)
    const second = await ask(sent)
    assert.deepEqual([first.status, second.status], expected, `${rule} ${pin}`)
  }
})
