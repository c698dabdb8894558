/** Introspection of tokens that are bound to a key, and by callers that have to prove one: nonce, proof, and what a thief gets. */

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { freshKey } from '../../src/agent/key.ts'
import { makeProof } from '../../src/agent/proof.ts'
import { RESOURCE } from '../world/broker.ts'
import { HOLDER, SEALED, startIntrospecting } from '../world/introspection.ts'

const FORM = 'application/x-www-form-urlencoded'
const INACTIVE = '{"active":false}'

async function bound(t: TestContext) {
  const stage = await startIntrospecting(t)
  const { world, mint } = stage
  const key = freshKey()
  let nonce: string | null = null
  const prove = (path: string, token: string | null = null, by = key) =>
    makeProof(by, {
      method: 'POST',
      url: `${world.issuer}${path}`,
      at: world.clock.seconds(),
      token,
      nonce,
    })
  const request = (resource: string, workload: string) =>
    world.app.inject({
      method: 'POST',
      url: '/token',
      headers: { 'content-type': FORM, dpop: prove('/token') },
      payload: new URLSearchParams(
        world.form({ assertion: mint(workload), resource, scope: '' }),
      ).toString(),
    })
  /** A token that is bound to the key, after the nonce was learnt. */
  async function token(resource: string, workload = 'agents/planner'): Promise<string> {
    const first = await request(resource, workload)
    nonce = String(first.headers['dpop-nonce'])
    const answer = first.statusCode === 200 ? first : await request(resource, workload)
    const { access_token: made, token_type: type } = answer.json()
    assert.equal(type, 'DPoP', answer.body)
    return made
  }
  return { ...stage, key, prove, token }
}

test('the holder of a bound token learns what it says with a proof of its key, and with no other', async (t) => {
  const { token, ask, prove, key } = await bound(t)
  const as = 'agents/planner'
  for (const audience of [RESOURCE, SEALED]) {
    const made = await token(audience)
    const said = await ask(made, { as, headers: { dpop: prove('/introspect') } })
    assert.deepEqual(said.body['cnf'], { jkt: key.jkt })
    assert.equal(said.body['token_type'], 'DPoP')
    assert.equal((await ask(made, { as })).text, INACTIVE)
    const stolen = prove('/introspect', null, freshKey())
    assert.equal((await ask(made, { as, headers: { dpop: stolen } })).text, INACTIVE)
    assert.equal((await ask(made)).body['sub'], HOLDER, 'the server of the audience needs no key')
  }
})

test('a bound token for this endpoint makes its workload a caller with a proof for it', async (t) => {
  const { world, token, ask, prove } = await bound(t)
  const about = await token(SEALED)
  const own = await token(`${world.issuer}/introspect`, 'mcp/server')
  const authorization = `DPoP ${own}`
  const asking = (dpop: string) => ask(about, { as: null, headers: { authorization, dpop } })
  const proof = prove('/introspect', own)
  assert.equal((await asking(proof)).body['sub'], HOLDER)

  const rows = [
    ['a proof again', proof, 'invalid_dpop_proof'],
    ['a proof for no token', prove('/introspect'), 'invalid_dpop_proof'],
    ['a proof for another token', prove('/introspect', about), 'invalid_dpop_proof'],
    ['a proof for another endpoint', prove('/token', own), 'invalid_dpop_proof'],
    ['a proof of another key', prove('/introspect', own, freshKey()), 'invalid_token'],
  ] as const
  for (const [what, dpop, error] of rows) {
    const said = await asking(dpop)
    assert.deepEqual([said.status, said.body['error']], [401, error], what)
    assert.match(
      String(said.headers['www-authenticate']),
      new RegExp(`^DPoP error="${error}", algs`),
    )
  }
  const bearing = { authorization: `Bearer ${own}`, dpop: prove('/introspect', own) }
  assert.equal((await ask(about, { as: null, headers: bearing })).body['error'], 'invalid_token')
})

test('a caller without a nonce is given one', async (t) => {
  const { world, token, ask, key } = await bound(t)
  const about = await token(SEALED)
  const own = await token(`${world.issuer}/introspect`, 'mcp/server')
  const said = { method: 'POST', url: `${world.issuer}/introspect`, at: world.clock.seconds() }
  const proof = (nonce: string | null) => makeProof(key, { ...said, token: own, nonce })
  const headers = { authorization: `DPoP ${own}`, dpop: proof(null) }
  const first = await ask(about, { as: null, headers })
  assert.deepEqual([first.status, first.body['error']], [401, 'use_dpop_nonce'])
  assert.match(String(first.headers['www-authenticate']), /^DPoP error="use_dpop_nonce"/)
  const nonce = String(first.headers['dpop-nonce'])
  const second = await ask(about, { as: null, headers: { ...headers, dpop: proof(nonce) } })
  assert.equal(second.body['sub'], HOLDER)
})
