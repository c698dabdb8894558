import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { Refusal } from '../../src/refusal.ts'
import { PLANNER } from '../world/spiffe.ts'
import { authorityOf, setX509Stage, shown, svidOf } from '../world/svid.ts'

/** What a request that shows this comes to: its workload, or null for a Refusal. Nothing else is thrown. */
async function start(t: TestContext) {
  const { root, show } = await setX509Stage(t)
  const middle = authorityOf('intermediate', root)
  const outcome = async (value: string): Promise<string | null> => {
    try {
      return (await show(value)).uri
    } catch (error) {
      assert.ok(error instanceof Refusal, String(error))
      return null
    }
  }
  return { chain: [svidOf(middle), middle], outcome }
}

suite('fuzz: X.509-SVIDs', () => {
  test('random text and random bytes are refused', async (t) => {
    const { outcome } = await start(t)
    const bytes = fc.uint8Array({ maxLength: 600 }).map((b) => Buffer.from(b).toString('base64'))
    const value = fc.oneof(
      fc.string(),
      bytes,
      fc.array(bytes, { maxLength: 10 }).map((l) => l.join('.')),
    )
    await fc.assert(
      fc.asyncProperty(value, async (text) => assert.equal(await outcome(text), null)),
      { numRuns: 500 },
    )
  })

  test('a chain with one bit flipped is refused', async (t) => {
    const { chain, outcome } = await start(t)
    assert.equal(await outcome(shown(...chain)), PLANNER)
    const place = fc.record({ which: fc.nat(1), at: fc.nat(), bit: fc.nat(7) })
    await fc.assert(
      fc.asyncProperty(place, async ({ which, at, bit }) => {
        const flipped = chain.map(({ der }, index) => {
          const bytes = Buffer.from(der)
          const offset = at % bytes.length
          if (index === which) bytes.writeUInt8(bytes.readUInt8(offset) ^ (1 << bit), offset)
          return { der: bytes }
        })
        assert.equal(await outcome(shown(...flipped)), null)
      }),
      { numRuns: 1500 },
    )
  })

  test('a chain with bytes put in or taken out, or cut off, is refused', async (t) => {
    const { chain, outcome } = await start(t)
    const [leaf] = chain
    const whole = leaf?.der ?? assert.fail()
    const edit = fc.record({
      at: fc.nat(whole.length),
      removed: fc.nat(3),
      inserted: fc.uint8Array({ maxLength: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(edit, async ({ at, removed, inserted }) => {
        const bytes = Buffer.concat([whole.subarray(0, at), inserted, whole.subarray(at + removed)])
        const isSame = bytes.equals(whole)
        const found = await outcome(shown({ der: bytes }, ...chain.slice(1)))
        assert.equal(found, isSame ? PLANNER : null)
      }),
      { numRuns: 800 },
    )
  })
})
