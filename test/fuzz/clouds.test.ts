import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { Attestor, Identity, Prepared } from '../../src/identity.ts'
import { isObject, type Json, type JsonObject } from '../../src/net/json.ts'
import { parseJwt, type UnverifiedJwt } from '../../src/net/jwt.ts'
import { PRINCIPALS } from '../../src/policy/principals.ts'
import { Refusal } from '../../src/refusal.ts'
import { setAwsStage } from '../world/aws.ts'
import { setAzureStage } from '../world/azure.ts'
import type { TestClock } from '../world/clock.ts'
import { draftOf, type Minter } from '../world/forge.ts'
import { setGcpStage } from '../world/gcp.ts'

type Stage = { readonly clock: TestClock; readonly issuer: Minter; readonly attestor: Attestor }

const STAGES: Readonly<Record<string, (t: TestContext) => Promise<Stage>>> = {
  aws: setAwsStage,
  azure: (t) => setAzureStage(t),
  gcp: (t) => setGcpStage(t),
}

/** Where each value of the claims is, at any depth. */
function places(claims: JsonObject, above: readonly string[] = []): (readonly string[])[] {
  return Object.entries(claims).flatMap(([name, value]) => {
    const place = [...above, name]
    return isObject(value) ? [place, ...places(value, place)] : [place]
  })
}

/** The claims with another value in one place; undefined takes it out. */
function replaced(
  claims: JsonObject,
  [name = '', ...rest]: readonly string[],
  value?: Json,
): JsonObject {
  const { [name]: inner, ...others } = claims
  const changed = rest.length > 0 && isObject(inner) ? replaced(inner, rest, value) : value
  return changed === undefined ? others : { ...others, [name]: changed }
}

const STRANGE = [
  null,
  true,
  0,
  -1,
  0.5,
  1e308,
  '',
  ' ',
  '\u0000',
  '%',
  '/',
  '::',
  [],
  [[]],
  {},
  '__proto__',
]

/** What an attestor makes of a token whose signature holds; null for a Refusal. It may throw nothing else. */
function reading(attestor: Attestor, jwt: UnverifiedJwt, now: number): Identity | null {
  try {
    return (attestor.prepare(jwt, now) as Prepared).verify(now)
  } catch (error) {
    assert.ok(error instanceof Refusal, String(error))
    assert.ok(JSON.stringify(error.detail).length < 4096)
    return null
  }
}

function assertSound({ uri, principal, facts, expiresAt, replay }: Identity, now: number): void {
  const { attributes = {}, id } = PRINCIPALS[principal.type] ?? {}
  assert.match(principal.id, id?.pattern ?? /$^/)
  assert.match(uri, /^(aws|azure|gcp):\/\/[!-~]+$/)
  assert.ok(expiresAt > now && replay.key !== '')
  for (const [name, { grade, value }] of Object.entries(facts)) {
    const attribute = attributes[name]
    assert.equal(attribute?.grade, grade, name)
    const type = Array.isArray(value) ? 'Set<String>' : typeof value
    assert.equal(type.toLowerCase(), attribute?.type.toLowerCase().replace('bool', 'boolean'), name)
  }
}

suite('fuzz: claims of clouds, properly signed', () => {
  for (const [kind, setStage] of Object.entries(STAGES)) {
    test(`${kind}: a strange value in any place is refused, or leaves a sound identity`, async (t) => {
      const { clock, issuer, attestor } = await setStage(t)
      await attestor.start()
      const { header, claims } = draftOf(issuer)
      const place = fc.constantFrom(...places(claims as JsonObject))
      const value = fc.oneof(fc.constantFrom(...STRANGE), fc.jsonValue({ maxDepth: 2 }))
      const property = fc.property(place, fc.option(value, { nil: undefined }), (at, other) => {
        const changed = replaced(claims as JsonObject, at, other as Json | undefined)
        const token = issuer.sign({ header, claims: changed })
        let jwt: UnverifiedJwt
        try {
          jwt = parseJwt(token)
        } catch (error) {
          // Half a surrogate pair, which I-JSON forbids.
          return assert.ok(error instanceof Refusal)
        }
        const identity = reading(attestor, jwt, clock.seconds())
        if (identity !== null) assertSound(identity, clock.seconds())
      })
      fc.assert(property, { numRuns: 150 })
    })
  }
})
