/** Which certificates may bind a token, with and without authorities of the operator. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { certificateJudge } from '../src/clientcertificate.ts'
import type { Reason } from '../src/refusal.ts'
import { refused } from './world/attest.ts'
import { type Held, issue } from './world/authority.ts'

/** Half of 2025: inside of what `VALID` says. */
const NOW = Date.UTC(2025, 6, 1) / 1000
const VALID = { from: '20250101000000Z', until: '20251231235959Z', kind: 'P-256' } as const
const LEAF = { ...VALID, authority: false } as const

const root = issue('clients root', undefined, VALID)
const middle = issue('clients middle', root, VALID)
const below = issue('agent', middle, LEAF)
const direct = issue('agent', root, LEAF)
const alone = issue('agent', undefined, LEAF)
const foreign = issue('agent', issue('foreign root', undefined, VALID), LEAF)
const impostor = issue('clients root', undefined, { ...VALID, keys: alone })
const short = issue('clients short', root, { ...VALID, pathLength: 0 })
const tooDeep = issue('agent', issue('clients deep', short, VALID), LEAF)

type Row = readonly [
  what: string,
  chain: readonly Held[],
  authorities: readonly Held[] | null,
  expected: Reason | null,
  at?: number,
]

// biome-ignore format: a table, one row a line
const rows: readonly Row[] = [
  ['one that signed itself, where anybody’s binds', [alone], null, null],
  ['one of an authority that nobody knows, where anybody’s binds', [foreign], null, null],
  ['one that the authority signed', [direct], [root], null],
  ['one below an intermediate that is shown', [below, middle], [root], null],
  ['with the root shown too', [below, middle, root], [root], null],
  ['one below an intermediate that the operator has', [below], [middle], null],
  ['the second of two authorities', [direct], [middle, root], null],
  ['plain of its authority, without key usage', [issue('plain', root, { ...LEAF, usage: null })], [root], null],
  ['named by itself', [alone], [alone], null],
  ['one second before its end', [direct], [root], null, Date.UTC(2025, 11, 31, 23, 59, 59) / 1000],
  ['one second too late', [direct], null, 'certificate_refused', Date.UTC(2026, 0, 1) / 1000],
  ['one second too early', [direct], null, 'certificate_refused', Date.UTC(2024, 11, 31, 23, 59, 59) / 1000],
  ['an authority that is over', [issue('late', root, { ...LEAF, until: '99991231235959Z' })], [root], 'certificate_refused', Date.UTC(2026, 0, 1) / 1000],
  ['one that signed itself', [alone], [root], 'certificate_refused'],
  ['one of a foreign authority', [foreign], [root], 'certificate_refused'],
  ['without the intermediate', [below], [root], 'certificate_refused'],
  ['one of an impostor of that name', [issue('agent', impostor, LEAF)], [root], 'certificate_refused'],
  ['with the impostor shown', [issue('agent', impostor, LEAF), impostor], [root], 'certificate_refused'],
  ['one that a workload signed', [issue('sub', direct, LEAF), direct], [root], 'certificate_refused'],
  ['one that a workload signed which the operator names', [issue('sub', alone, LEAF)], [alone], 'certificate_refused'],
  ['deeper than its authority may have', [tooDeep, issue('clients deep', short, VALID), short], [root], 'certificate_refused'],
  ['no authorities at all', [direct], [], 'certificate_refused'],
]

for (const [what, chain, authorities, expected, at = NOW] of rows) {
  test(`${expected === null ? 'binds' : 'does not bind'}: ${what}`, async () => {
    const judge = certificateJudge(() => authorities?.map((each) => each.read()) ?? null)
    const shown = chain.map(({ der }) => der)
    const work = () => judge(shown, at, false)
    if (expected === null) work()
    else await refused(work, expected)
  })
}

test('what is judged elsewhere needs none of the authorities, and must be in time all the same', async () => {
  const judge = certificateJudge(() => [root.read()])
  judge([foreign.der], NOW, true)
  await refused(() => judge([foreign.der], NOW + 366 * 86_400, true), 'certificate_refused')
})

test('the detail says what was wrong, for the operator', async () => {
  const judge = certificateJudge(() => [root.read()])
  const { detail } = await refused(() => judge([foreign.der], NOW, false), 'certificate_refused')
  assert.match(String(detail['problem']), /issuer/)
  assert.match(String(detail['clientCa']), /listen\.tls\.clientCa/)
})

test('what is no certificate is refused', async (t) => {
  const judge = certificateJudge(() => null)
  const { der } = alone
  for (const [what, bytes] of [
    ['nothing', Buffer.of()],
    ['half of one', der.subarray(0, der.length / 2)],
    ['a byte behind it', Buffer.concat([der, Buffer.of(0)])],
    ['two of them', Buffer.concat([der, der])],
    ['PEM', Buffer.from(alone.pem)],
    ['noise', Buffer.alloc(500, 7)],
  ] as const) {
    await t.test(what, async () => {
      await refused(() => judge([bytes], NOW, false), 'certificate_malformed')
    })
  }
})
