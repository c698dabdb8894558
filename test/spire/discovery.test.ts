/**
 * Keys of real SPIRE through its OIDC discovery provider: a JWT-SVID with an `iss` is a token of that issuer. And what
 * our agent says once SPIRE has no entry for it.
 */

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { AgentError, spiffe, x509Svid } from '../../src/agent/index.ts'
import { freePorts } from '../../src/cli/ports.ts'
import { assertPlanner, assertRefused, OIDC_PLANNER, startBroker } from './broker.ts'
import { Child } from './children.ts'
import { adminOf, JWT_ISSUER, PLANNER, Spire } from './spire.ts'

/** Starts the provider. @returns where its keys are */
async function startProvider(t: Pick<TestContext, 'after'>, { folder }: Spire): Promise<string> {
  const [port] = await freePorts(1)
  const path = join(folder, 'provider.conf')
  const settings = `log_level = "WARN"
domains = ["127.0.0.1"]
insecure_addr = "127.0.0.1:${port}"
allow_insecure_scheme = true
jwt_issuer = "${JWT_ISSUER}"
server_api {
  address = "unix://${adminOf(folder)}"
  poll_interval = "1s"
}
`
  writeFileSync(path, settings)
  const provider = new Child(t, 'oidc-discovery-provider', '-config', path)
  const url = `http://127.0.0.1:${port}/keys`
  await provider.until('its keys', async () => {
    const { keys } = (await (await fetch(url)).json()) as { readonly keys: readonly object[] }
    return keys.length > 0 ? keys : null
  })
  return url
}

test('a JWT-SVID is a token of the issuer whose keys the discovery provider publishes', async (t) => {
  const spire = await Spire.start(t)
  const url = await startProvider(t, spire)
  const issuer = { name: 'spire', issuer: JWT_ISSUER, dedicated: true, algorithms: ['ES256'] }
  const broker = await startBroker(t, { oidc: { ...issuer, jwks: { url, allowPrivate: true } } })
  const { socket } = spire
  const token = await spiffe({ socket, audience: broker.issuer })()
  const { iss, sub } = decodeJwt(token)
  assert.deepEqual([iss, sub], [JWT_ISSUER, PLANNER])
  assertPlanner(await broker.show(token, 'jwt-bearer'), OIDC_PLANNER)

  await t.test('but not one of a trust domain, which no entry vouches for', async () => {
    assertRefused(await broker.show(token), 'type_refused')
  })

  await t.test('without an entry for it, our agent says that there is none', async () => {
    const [{ id = '' } = {}] = JSON.parse(
      await spire.ask('entry', 'show', '-spiffeID', PLANNER, '-output', 'json'),
    ).entries
    await spire.ask('entry', 'delete', '-entryID', id)
    for (const fetch of [() => x509Svid({ socket }), spiffe({ socket, audience: 'https://new' })]) {
      const error = await spire.agent.until('a refusal', () =>
        fetch().then(
          () => null,
          (cause) => cause,
        ),
      )
      assert.ok(error instanceof AgentError)
      assert.match(error.message, /no identity for this process: no registration entry matches it/)
    }
  })
})
