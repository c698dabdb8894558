/** SVIDs of real SPIRE, fetched over its Workload API by our own agent: taken, and refused once its bundle has rotated. */

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { spiffe as spiffeKind } from '../../attestors/spiffe/index.ts'
import { spiffe, type X509Svid, x509Svid } from '../../src/agent/index.ts'
import { challenges } from '../../src/challenge.ts'
import type { Identity } from '../../src/identity.ts'
import { createDoor } from '../../src/net/fetch.ts'
import { parseJwt } from '../../src/net/jwt.ts'
import { vouching } from '../../src/vouching.ts'
import { refused } from '../world/attest.ts'
import { assertPlanner, assertRefused, byEndpoint, byFile, startBroker } from './broker.ts'
import { shownBy } from './handshake.ts'
import { ENDPOINT_ID, PLANNER, Spire, TRUST_DOMAIN } from './spire.ts'

/** What shows X.509-SVIDs to an entry that reads the bundle where the trust domain publishes it. */
async function startX509(
  t: Pick<TestContext, 'after'>,
  { bundleUrl, bootstrap }: Spire,
  now: () => number,
) {
  const audience = 'https://countersign.example'
  const endpoint = { profile: 'https_spiffe', endpointId: ENDPOINT_ID, allowPrivate: true } as const
  const attestor = spiffeKind.create(
    { trustDomain: TRUST_DOMAIN, bundle: { url: bundleUrl, bootstrap, ...endpoint } },
    { trust: `spiffe:${TRUST_DOMAIN}`, audience },
    { door: createDoor(), now, warn: () => {} },
    () => null,
  )
  t.after(() => attestor.close())
  await attestor.start()
  assert.equal(attestor.health().problem, null)
  const seconds = () => Math.floor(now() / 1000)
  const ours = challenges('a secret of at least thirty-two characters', () => Buffer.alloc(32))
  const table = vouching([attestor], new Map(), ours)
  return {
    audience,
    /** Opens a connection with an SVID, and shows what the listener sees of it. */
    async show(svid: X509Svid): Promise<Identity> {
      const of = { role: 'workload', carrier: 'certificate', format: 'x509-svid' } as const
      const evidence = { ...of, value: await shownBy(svid) }
      const prepared = await table.prepare({ evidence, attestation: null }, seconds(), () => {})
      return prepared.verify(seconds())
    },
    /** Shows a JWT-SVID to the same entry. */
    async showToken(token: string): Promise<Identity> {
      return (await attestor.prepare(parseJwt(token), seconds())).verify(seconds())
    },
  }
}

/** Replaces a file at once, as whoever keeps a bundle in one has to. */
async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text)
  await rename(`${path}.new`, path)
}

/** The same token under another `kid`, so that whoever sees it asks for newer keys. */
function renamed(token: string, kid: string): string {
  const [header = '', ...rest] = token.split('.')
  const named = { ...JSON.parse(Buffer.from(header, 'base64url').toString()), kid }
  return [Buffer.from(JSON.stringify(named)).toString('base64url'), ...rest].join('.')
}

test('SVIDs of real SPIRE are taken, and refused after its authorities were replaced', async (t) => {
  const spire = await Spire.start(t)
  let aheadMs = 0
  const now = () => Date.now() + aheadMs
  const file = join(spire.folder, 'bundle.json')
  await replaceFile(file, await spire.bundle())
  const brokers = {
    'the endpoint': await startBroker(t, byEndpoint(spire), now),
    'a file': await startBroker(t, byFile(file), now),
  }
  const certificates = await startX509(t, spire, now)
  const { socket } = spire
  const mint = (audience: string) => spiffe({ socket, audience })()
  const entries = Object.entries(brokers)
  const before = new Map<string, string>()
  /** Has the bundle read again: every few minutes anyway, and at once for a key that nobody knows. */
  const reread = async (kid: string) => {
    for (const [, broker] of entries) {
      const token = renamed(await mint(broker.issuer), kid)
      assertRefused(await broker.show(token), 'key_unknown')
    }
    const token = renamed(await mint(certificates.audience), kid)
    await refused(certificates.showToken(token), 'key_unknown')
  }

  for (const [where, broker] of entries) {
    await t.test(`a JWT-SVID is taken with the bundle of ${where}`, async () => {
      const token = await mint(broker.issuer)
      assertPlanner(await broker.show(token))
      before.set(where, token)
    })
    await t.test(`one for somebody else is not, with the bundle of ${where}`, async () => {
      const token = await mint('https://somebody.example')
      assertRefused(await broker.show(token), 'audience_wrong')
    })
  }
  const oldSvid = await x509Svid({ socket })
  await t.test('an X.509-SVID is taken, and names the same workload', async () => {
    const { uri, facts, expiresAt } = await certificates.show(oldSvid)
    assert.deepEqual([uri, oldSvid.spiffeId, facts['svid']?.value], [PLANNER, PLANNER, 'x509'])
    const { validToDate } = new X509Certificate(oldSvid.cert)
    assert.equal(expiresAt, validToDate.getTime() / 1000)
  })

  await spire.prepare('jwt')
  await spire.prepare('x509')
  await replaceFile(file, await spire.bundle())
  // All have to know the new authorities before the endpoint shows a certificate of one.
  await reread('prepared')
  await spire.replace('jwt')
  await spire.replace('x509')
  await replaceFile(file, await spire.bundle())
  const kidOf = (token = '') =>
    JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
  const issuerOf = ({ cert }: X509Svid) => new X509Certificate(cert).issuer
  for (const [where, broker] of entries) {
    await t.test(
      `a JWT-SVID of the new authority is taken with the bundle of ${where}`,
      async () => {
        const old = kidOf(before.get(where))
        const token = await spire.agent.until('a JWT-SVID of the new authority', async () => {
          const found = await mint(broker.issuer)
          return kidOf(found) === old ? null : found
        })
        assertPlanner(await broker.show(token))
      },
    )
  }
  await t.test('an X.509-SVID of the new authority is taken', async () => {
    const svid = await spire.agent.until('an X.509-SVID of the new authority', async () => {
      const found = await x509Svid({ socket })
      return issuerOf(found) === issuerOf(oldSvid) ? null : found
    })
    assert.equal((await certificates.show(svid)).uri, PLANNER)
  })

  // Who revokes an authority while the endpoint still shows what it issued locks out all who read from there.
  await spire.agent.until('an endpoint with a certificate of the new authority', async () =>
    (await spire.endpointIssuer()) === issuerOf(oldSvid) ? null : true,
  )
  // Keys are not looked for more often than every ten seconds, whatever callers show.
  aheadMs += 30_000
  await spire.revoke('jwt')
  await spire.revoke('x509')
  await replaceFile(file, await spire.bundle())
  await reread('revoked')
  for (const [where, broker] of entries) {
    await t.test(`a JWT-SVID of before is refused with the bundle of ${where}`, async () => {
      const token = before.get(where) ?? assert.fail()
      const outcome = await broker.show(token)
      assertRefused(outcome, 'key_unknown')
      assert.equal(outcome.event.detail?.['kid'], kidOf(token))
      assertPlanner(await broker.show(await mint(broker.issuer)))
    })
  }
  await t.test('an X.509-SVID of before is refused', async () => {
    const { detail } = await refused(certificates.show(oldSvid), 'certificate_untrusted')
    const problem = `no authority in the bundle of ${TRUST_DOMAIN} issued it`
    assert.deepEqual(detail, { id: PLANNER, problem })
    assert.equal((await certificates.show(await x509Svid({ socket }))).uri, PLANNER)
  })
})
