import assert from 'node:assert/strict'
import { test } from 'node:test'
import { annotationsOf, expiresOf, formatOf, modeOf } from '../../src/policy/annotations.ts'
import { scan } from '../../src/policy/scan.ts'
import { epoch } from './world.ts'

const annotations = (text: string) =>
  annotationsOf(scan(`${text} permit (principal, action, resource);`))

test('a day ends with its last second, UTC; a time is exact, whatever its offset', () => {
  const rows: readonly (readonly [written: string, ends: string | null])[] = [
    ['@expires("2026-12-31")', '2027-01-01T00:00:00Z'],
    ['@expires("2028-02-29")', '2028-03-01T00:00:00Z'],
    ['@expires("2026-12-31T18:00:00Z")', '2026-12-31T18:00:00Z'],
    ['@expires("2026-12-31t18:00:00.999+02:00")', '2026-12-31T16:00:00Z'],
    ['@expires("2027-02-29")', null],
    ['@expires("2026-12-31T18:00:00")', null],
    ['@expires("2026-12-31T25:00:00Z")', null],
    ['@expires("31.12.2026")', null],
    ['@expires', null],
    ['', null],
  ]
  for (const [written, ends] of rows) {
    assert.equal(expiresOf(annotations(written)), ends === null ? null : epoch(ends), written)
  }
})

test('a policy is enforced unless it says that it only reports', () => {
  assert.equal(modeOf(annotations('@mode("report")')), 'report')
  for (const other of ['', '@mode("enforce")', '@mode', '@owner("report")']) {
    assert.equal(modeOf(annotations(other)), 'enforce', other)
  }
})

test('a format is one that is issued', () => {
  for (const format of ['jwt', 'opaque']) assert.equal(formatOf(format), format)
  for (const other of ['JWT', 'sealed', '', null]) assert.equal(formatOf(other), null)
})
