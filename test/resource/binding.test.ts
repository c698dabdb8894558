/** Tokens and what their callers have proved: who may use which. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { thumbprint } from '../../src/possession.ts'
import { boundTo, type Proved } from '../../src/resource/binding.ts'

const CERTIFICATE = Buffer.from('a certificate')
const OTHER = Buffer.from('another')
const JKT = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'
const X5T = thumbprint(CERTIFICATE)

type Row = readonly [what: string, cnf: unknown, proved: Proved, may: boolean]

// biome-ignore format: a table, one row a line
const rows: readonly Row[] = [
  ['a bearer token, with nothing', undefined, {}, true],
  ['a bearer token, with a certificate', undefined, { certificate: CERTIFICATE }, true],
  ['its certificate', { 'x5t#S256': X5T }, { certificate: CERTIFICATE }, true],
  ['another certificate', { 'x5t#S256': X5T }, { certificate: OTHER }, false],
  ['no certificate', { 'x5t#S256': X5T }, {}, false],
  ['a key in place of a certificate', { 'x5t#S256': X5T }, { jkt: X5T }, false],
  ['its key', { jkt: JKT }, { jkt: JKT }, true],
  ['another key', { jkt: JKT }, { jkt: JKT.toLowerCase() }, false],
  ['no key', { jkt: JKT }, { certificate: CERTIFICATE }, false],
  ['both, with both', { jkt: JKT, 'x5t#S256': X5T }, { jkt: JKT, certificate: CERTIFICATE }, true],
  ['both, with one', { jkt: JKT, 'x5t#S256': X5T }, { certificate: CERTIFICATE }, false],
  ['a padded thumbprint', { 'x5t#S256': `${X5T}=` }, { certificate: CERTIFICATE }, false],
  ['a thumbprint that is no text', { 'x5t#S256': [X5T] }, { certificate: CERTIFICATE }, false],
  ['a method that is not known', { kid: 'a' }, { certificate: CERTIFICATE, jkt: JKT }, false],
  ['one that is not known beside its own', { kid: 'a', jkt: JKT }, { jkt: JKT }, false],
  ['a cnf without members', {}, { certificate: CERTIFICATE, jkt: JKT }, false],
  ['a cnf that is a list', [], { certificate: CERTIFICATE, jkt: JKT }, false],
  ['a cnf that is text', JKT, { jkt: JKT }, false],
  ['a cnf that is null', null, { jkt: JKT }, false],
]

for (const [what, cnf, proved, may] of rows) {
  test(`${may ? 'may' : 'may not'} be used: ${what}`, () => {
    const claims = cnf === undefined ? {} : { cnf }
    assert.equal(boundTo(claims, proved), may)
  })
}
