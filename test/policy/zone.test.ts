import assert from 'node:assert/strict'
import { test } from 'node:test'
import { calendar } from '../../src/policy/calendar.ts'
import { clock } from '../../src/policy/zone.ts'
import { epoch } from './world.ts'

const READINGS: readonly (readonly [zone: string, at: string, reading: string])[] = [
  ['Europe/Berlin', '2026-11-19T05:59:59Z', '4 6h59m59s 2026-11-19'],
  ['Europe/Berlin', '2026-11-18T23:00:00Z', '4 0s 2026-11-19'],
  ['Europe/Berlin', '2026-11-22T22:59:59Z', '7 23h59m59s 2026-11-22'],
  // The clock jumps from 02:00 to 03:00, and falls back from 03:00 to 02:00.
  ['Europe/Berlin', '2026-03-29T00:59:59Z', '7 1h59m59s 2026-03-29'],
  ['Europe/Berlin', '2026-03-29T01:00:00Z', '7 3h 2026-03-29'],
  ['Europe/Berlin', '2026-10-25T00:30:00Z', '7 2h30m 2026-10-25'],
  ['Europe/Berlin', '2026-10-25T01:30:00Z', '7 2h30m 2026-10-25'],
  ['America/New_York', '2026-11-01T05:59:00Z', '7 1h59m 2026-11-01'],
  ['America/New_York', '2026-11-01T06:00:00Z', '7 1h 2026-11-01'],
  ['Pacific/Kiritimati', '2026-12-31T10:00:00Z', '5 0s 2027-01-01'],
  ['Asia/Kathmandu', '2026-11-19T00:00:00Z', '4 5h45m 2026-11-19'],
  ['America/St_Johns', '2026-01-01T03:29:59Z', '3 23h59m59s 2025-12-31'],
  ['UTC', '1969-12-31T23:59:59Z', '3 23h59m59s 1969-12-31'],
]

test('the clock shows what people in the zone read, on both sides of every change', () => {
  for (const [zone, at, reading] of READINGS) {
    const { weekday, timeOfDay, date } = clock(zone)(epoch(at))
    assert.equal(`${weekday} ${timeOfDay} ${date}`, reading, `${zone} ${at}`)
  }
})

test('an unknown zone is refused', () => {
  assert.throws(() => clock('Europe/Berin'), RangeError)
})

test('a calendar begins and ends at midnight of its own zone, both ends included', () => {
  const ranges = [
    { from: '2026-12-24', to: '2027-01-02' },
    { from: '2026-05-01', to: '2026-05-01' },
  ]
  const freeze = calendar({ name: 'freeze', zone: 'Europe/Berlin', ranges })
  const on = (at: string) => freeze(epoch(at))
  assert.deepEqual(
    [
      '2026-12-23T22:59:59Z',
      '2026-12-23T23:00:00Z',
      '2027-01-02T22:59:59Z',
      '2027-01-02T23:00:00Z',
    ].map(on),
    [false, true, true, false],
  )
  assert.deepEqual(['2026-04-30T22:00:00Z', '2026-05-01T22:00:00Z'].map(on), [true, false])
})
