/** Chains that held before: only their signatures are not verified again. Everything else is, each time. */

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { checkChain, findChain, KnownChains } from '../../attestors/chain.ts'
import { refused } from '../world/attest.ts'
import { type Held, issue, purposes, type Unlike } from '../world/authority.ts'
import { CLIENT, SERVER } from '../world/cms.ts'

const NOW = 1_800_000_000
const LEAF: Unlike = { authority: false, extra: [purposes(SERVER)] }

const root = issue('root')
const middle = issue('middle', root)

function chain(leaf: Unlike = {}): readonly [Held, Held, Held] {
  return [issue('leaf', middle, { ...LEAF, ...leaf }), middle, root]
}

/** Judges certificates by their bytes, as documents bring them, and counts the signatures that it takes. */
function setStage(t: TestContext, most?: number) {
  const known = new KnownChains(most)
  const verify = t.mock.method(X509Certificate.prototype, 'verify')
  const judge = (held: readonly Held[], rules = {}) => {
    const before = verify.mock.callCount()
    const read = held.map(({ der }) => known.read(der))
    checkChain(read, { nowSeconds: NOW, purpose: SERVER, known, ...rules })
    return verify.mock.callCount() - before
  }
  return { known, judge }
}

test('the signatures of a chain are verified once, and its certificates read once', (t) => {
  const { known, judge } = setStage(t)
  const held = chain()
  assert.deepEqual([judge(held), judge(held)], [2, 0])
  const [leaf] = held
  assert.equal(known.read(leaf.der), known.read(leaf.der))
})

test('a leaf of other bytes is verified, below authorities that are known', (t) => {
  const { judge } = setStage(t)
  judge(chain())
  assert.equal(judge(chain({ serial: 99 })), 1)
})

test('dates, purposes and path lengths are judged each time', async (t) => {
  const { judge } = setStage(t)
  const held = chain({ until: '20270115090000Z' })
  judge(held)
  const late = { nowSeconds: NOW + 3601 }
  await refused(() => judge(held, late), 'certificate_untrusted')
  await refused(() => judge(held, { purpose: CLIENT }), 'certificate_untrusted')
})

test('a known leaf below another authority of the same name is not signed by it', async (t) => {
  const { judge } = setStage(t)
  const [leaf] = chain()
  judge([leaf, middle, root])
  const namesake = { ...issue('middle', root, { keys: issue('somebody else') }) }
  await refused(() => judge([leaf, namesake, root]), 'certificate_untrusted')
})

test('what did not hold is not remembered', async (t) => {
  const { known, judge } = setStage(t)
  const [leaf] = chain({ keys: issue('own keys') })
  const stranger = issue('root', undefined, { keys: issue('stranger') })
  await refused(() => judge([leaf, middle, stranger]), 'certificate_untrusted')
  assert.notEqual(known.read(leaf.der), known.read(leaf.der))
  assert.equal(judge([leaf, middle, root]), 2)
})

test('chains that were searched for are remembered as well; the oldest are forgotten', (t) => {
  const { known, judge } = setStage(t, 4)
  const [leaf] = chain()
  const rules = { nowSeconds: NOW, purpose: SERVER, known }
  findChain(leaf.read(), { roots: [root.read()], intermediates: [middle.read()] }, rules)
  assert.equal(judge([leaf, middle, root]), 0)
  for (const serial of [100, 101, 102]) judge(chain({ serial }))
  assert.equal(judge([leaf, middle, root]), 1, 'of the leaf; its authorities were in use')
})
