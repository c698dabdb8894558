/** X.509-SVIDs over real TLS connections, judged by the bundle of their trust domain. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeJwt } from 'jose'
import { thumbprint } from '../../src/possession.ts'
import { RESOURCE } from '../world/broker.ts'
import { TestClock } from '../world/clock.ts'
import { callerOf, NOBODY, startMtls } from '../world/mtls.ts'
import { FakeSpire, PLANNER, TRUST_DOMAIN } from '../world/spiffe.ts'
import { authorityOf, svidOf, uri } from '../world/svid.ts'

const POLICY = `
@id("planner") @owner("team-agents") @sender("mtls")
permit (principal == SpiffeWorkload::"${PLANNER}", action == Action::"trades:read", resource)
when { principal.svid == "x509" };
`
const FORM = {
  grant_type: 'client_credentials',
  assertion: '',
  client_id: PLANNER,
  resource: RESOURCE,
}

test('an X.509-SVID of the connection is a credential, and what it gets is bound to it', async (t) => {
  const spire = await new FakeSpire(new TestClock()).listen()
  t.after(() => spire.close())
  const root = authorityOf('authority')
  spire.roots = [root.pem]
  const bundle = { url: spire.jwksUrl, profile: 'https_web', allowPrivate: true }
  const site = await startMtls(t, {
    policy: POLICY,
    trust: [{ spiffe: { trustDomain: TRUST_DOMAIN, bundle } }],
  })
  const svid = svidOf(root)
  const { status, json } = await site.ask(callerOf(svid), FORM)
  assert.equal(status, 200, JSON.stringify(json) + site.log())
  const claims = decodeJwt(String(json['access_token']))
  assert.deepEqual([claims.sub, claims['client_id']], [PLANNER, PLANNER])
  assert.deepEqual(claims['cnf'], { 'x5t#S256': thumbprint(svid.der) })
  assert.equal(site.events().at(-1)?.evidence[0]?.carrier, 'certificate')

  const stranger = svidOf(authorityOf('another authority'))
  const other = svidOf(root, { names: uri(`${PLANNER}/x`) })
  for (const [caller, reason] of [
    [callerOf(stranger), 'certificate_untrusted'],
    [callerOf(other), 'client_mismatched'],
    [NOBODY, undefined],
  ] as const) {
    const answer = await site.ask(caller, FORM)
    assert.equal(answer.json['error'], reason === undefined ? 'invalid_request' : 'invalid_client')
    if (reason !== undefined) assert.equal(site.events().at(-1)?.reason, reason)
  }
})
