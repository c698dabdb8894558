import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decisionId } from '../src/decisionid.ts'

test('a decision id is a UUID of version 7: its instant, then 74 random bits', () => {
  const id = decisionId(0x0123_4567_89ab)
  assert.match(id, /^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.notEqual(decisionId(0x0123_4567_89ab).slice(15), id.slice(15))
})

test('ids sort by time, also when the instant is short', () => {
  const ids = [0, 1, 0xffff, 0x1_0000, Date.parse('2026-11-19T09:15:00Z')].map(decisionId)
  assert.deepEqual(ids.toSorted(), ids)
})
