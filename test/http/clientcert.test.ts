/** `Client-Cert` and `Client-Cert-Chain` as structured fields: what is read, and what is not. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseClientCert, parseClientCertChain } from '../../src/http/clientcert.ts'
import { refused } from '../world/attest.ts'

// biome-ignore format: a table, one row a line
const good: readonly (readonly [what: string, value: string, bytes: string])[] = [
  ['a byte sequence', ':AQID:', '010203'],
  ['padding', ':AQ==:', '01'],
  ['no padding', ':AQ:', '01'],
  ['bits beyond the last byte', ':AR==:', '01'],
  ['spaces around it', '  :AQID: ', '010203'],
  ['the whole alphabet', ':+/Az:', 'fbf033'],
]

// biome-ignore format: a table, one row a line
const bad: readonly (readonly [what: string, value: string])[] = [
  ['nothing', ''],
  ['no colons', 'AQID'],
  ['one colon', ':AQID'],
  ['three colons', ':AQID::'],
  ['two of them', ':AQID:, :AQID:'],
  ['a tab before it', '\t:AQID:'],
  ['a tab behind it', ':AQID:\t'],
  ['a parameter', ':AQID:;a=1'],
  ['a space inside', ':AQ ID:'],
  ['a line break inside', ':AQ\nID:'],
  ['a line break behind it', ':AQID:\n'],
  ['base64url', ':-_Az:'],
  ['too much padding', ':AQID=:'],
  ['too little padding', ':AQ=:'],
  ['padding inside', ':AQ==ID:'],
  ['padding alone', ':==:'],
  ['a lone character', ':AQIDB:'],
  ['text', '"AQID"'],
  ['PEM', '-----BEGIN CERTIFICATE-----AQID-----END CERTIFICATE-----'],
  ['PEM in percent-encoding, as some proxies send it', '-----BEGIN%20CERTIFICATE-----%0AAQID'],
]

test('Client-Cert: one byte sequence', () => {
  for (const [what, value, bytes] of good) {
    assert.equal(parseClientCert(value).toString('hex'), bytes, what)
  }
})

test('Client-Cert: anything else is refused', async (t) => {
  for (const [what, value] of bad) {
    await t.test(what, async () => {
      await refused(() => parseClientCert(value), 'certificate_malformed')
    })
  }
})

test('Client-Cert-Chain: a list of byte sequences', () => {
  const hex = (value: string) => parseClientCertChain(value).map((der) => der.toString('hex'))
  assert.deepEqual(hex(''), [])
  assert.deepEqual(hex('  '), [])
  for (const [, value, bytes] of good) assert.deepEqual(hex(value), [bytes])
  assert.deepEqual(hex(':AQ==:,:AQID:'), ['01', '010203'])
  assert.deepEqual(hex(':AQ==: \t,\t :AQID:'), ['01', '010203'])
})

test('Client-Cert-Chain: anything else is refused', async (t) => {
  const members = bad.filter(([, value]) => !/^$|, |\t/.test(value)).map(([, value]) => value)
  const lists = members.flatMap((member) => [member, `:AQ==:, ${member}`, `${member}, :AQ==:`])
  for (const value of [...lists, ',', ':AQ==:,', ',:AQ==:', ':AQ==:,,:AQ==:', '(:AQ==: :AQ==:)']) {
    await t.test(JSON.stringify(value), async () => {
      await refused(() => parseClientCertChain(value), 'certificate_malformed')
    })
  }
})
