import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { daysOf } from '../../src/config/icalendar.ts'
import { complaints, GOOD, swap } from './sample.ts'

/** A calendar around the lines of one event. */
function calendar(...event: readonly string[]): string {
  const lines = ['BEGIN:VCALENDAR', 'VERSION:2.0', 'BEGIN:VEVENT', ...event, 'END:VEVENT']
  return [...lines, 'END:VCALENDAR', ''].join('\r\n')
}

function ranges(text: string): readonly string[] {
  const days = daysOf(text)
  assert.ok('ranges' in days, JSON.stringify(days))
  return days.ranges.map(({ from, to }) => (from === to ? from : `${from}..${to}`))
}

const CHRISTMAS = 'DTSTART;VALUE=DATE:20251225'

test('all-day events are days: alone, several, every year, for a while', () => {
  const rows: readonly (readonly [event: readonly string[], days: readonly string[]])[] = [
    [[CHRISTMAS], ['2025-12-25']],
    [['DTSTART:20251225'], ['2025-12-25']],
    // DTEND is the day after (RFC 5545 §3.6.1).
    [[CHRISTMAS, 'DTEND;VALUE=DATE:20251227'], ['2025-12-25..2025-12-26']],
    [
      [CHRISTMAS, 'RRULE:FREQ=YEARLY;COUNT=3'],
      ['2025-12-25', '2026-12-25', '2027-12-25'],
    ],
    [
      [CHRISTMAS, 'RRULE:FREQ=YEARLY;UNTIL=20261225;BYMONTH=12;BYMONTHDAY=25;WKST=MO'],
      ['2025-12-25', '2026-12-25'],
    ],
    [
      ['DTSTART;VALUE=DATE:20240229', 'RRULE:FREQ=YEARLY;COUNT=2'],
      ['2024-02-29', '2028-02-29'],
    ],
    [
      [
        'DTSTART;VALUE=DATE:20251231',
        'DTEND;VALUE=DATE:20260102',
        'RRULE:FREQ=YEARLY;COUNT=2;INTERVAL=2',
      ],
      ['2025-12-31..2026-01-01', '2027-12-31..2028-01-01'],
    ],
    [
      ['SUMMARY:a long', '  description: that\\, is folded', 'DTSTART;VALUE=DA', ' TE:20251225'],
      ['2025-12-25'],
    ],
    [[CHRISTMAS, 'BEGIN:VALARM', 'TRIGGER:-PT15M', 'DURATION:PT5M', 'END:VALARM'], ['2025-12-25']],
  ]
  for (const [event, days] of rows) assert.deepEqual(ranges(calendar(...event)), days, event.join())
})

test('what calendar programs write around events changes nothing', () => {
  const text = calendar(
    'UID:1@example.com',
    'DTSTAMP:20250101T000000Z',
    CHRISTMAS,
    'TRANSP:OPAQUE',
    'CATEGORIES:a,b',
    'X-A;X-B="c:d;e":f',
  ).replace(
    'VERSION:2.0',
    'VERSION:2.0\r\nPRODID:-//a//b\r\nCALSCALE:GREGORIAN\r\nMETHOD:PUBLISH\r\nX-WR-CALNAME:Feiertage\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\nEND:VTIMEZONE',
  )
  assert.deepEqual(ranges(text), ['2025-12-25'])
  assert.deepEqual(ranges(`\ufeff${text.replaceAll('\r\n', '\n')}`), ['2025-12-25'])
})

test('a yearly event without end goes on until 2099', () => {
  const days = ranges(calendar(CHRISTMAS, 'RRULE:FREQ=YEARLY'))
  assert.deepEqual([days.length, days.at(-1)], [75, '2099-12-25'])
})

test('whatever would mean other days is refused at its line', () => {
  const rows: readonly (readonly [event: readonly string[], line: number, fault: RegExp])[] = [
    [['DTSTART:20251225T090000Z'], 4, /time 20251225T090000Z; only whole days/],
    [['DTSTART;TZID=Europe/Berlin:20251225T000000'], 4, /only whole days/],
    [['DTSTART;VALUE=DATE:20250229'], 4, /2025-02-29, which is no day/],
    [['SUMMARY:a', ' folded', CHRISTMAS, 'DTEND;VALUE=DATE:20251225'], 7, /DTEND is the day after/],
    [[CHRISTMAS, 'DURATION:P2D'], 5, /DURATION, which is not supported/],
    [[CHRISTMAS, 'EXDATE;VALUE=DATE:20261225'], 5, /EXDATE, which is not supported/],
    [[CHRISTMAS, 'RDATE;VALUE=DATE:20261224'], 5, /RDATE/],
    [[CHRISTMAS, 'RECURRENCE-ID;VALUE=DATE:20261225'], 5, /RECURRENCE-ID/],
    [[CHRISTMAS, 'STATUS:CANCELLED'], 5, /cancelled event/],
    [[CHRISTMAS, 'RRULE:FREQ=WEEKLY'], 5, /FREQ=WEEKLY; only FREQ=YEARLY/],
    [[CHRISTMAS, 'RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH'], 5, /BYMONTH=11/],
    [[CHRISTMAS, 'RRULE:FREQ=YEARLY;COUNT=0'], 5, /the number "0"/],
    [[CHRISTMAS, 'RRULE:COUNT=2'], 5, /no FREQ/],
    [[CHRISTMAS, CHRISTMAS], 5, /second DTSTART/],
    [['SUMMARY:a'], 3, /without DTSTART/],
    [['what is this'], 4, /not a line of the form/],
    [[CHRISTMAS, 'BEGIN:VTODO', 'END:VTODO'], 5, /begins a VTODO/],
    [['END:VCALENDAR'], 4, /not what is open/],
  ]
  for (const [event, line, fault] of rows) {
    const days = daysOf(calendar(...event))
    assert.ok('fault' in days, event.join())
    assert.equal(days.line, line, `${event.join()}: ${days.fault}`)
    assert.match(days.fault, fault)
  }
})

test('what is not one whole calendar is refused', () => {
  const good = calendar(CHRISTMAS)
  const rows: readonly (readonly [text: string, fault: RegExp])[] = [
    ['', /is empty/],
    [good.replace('END:VCALENDAR\r\n', ''), /VCALENDAR is still open/],
    [good.replace('VERSION:2.0', 'CALSCALE:HEBREW'), /CALSCALE:HEBREW, not GREGORIAN/],
    [good.replace('VERSION:2.0', 'METHOD:CANCEL'), /METHOD:CANCEL, not PUBLISH/],
    [good.replaceAll('VEVENT', 'VTODO'), /begins a VTODO; only events/],
    [`${good}X-A:b\r\n`, /outside of BEGIN:VCALENDAR/],
    ['DTSTART;VALUE=DATE:20251225', /outside of BEGIN:VCALENDAR/],
    [
      calendar(
        CHRISTMAS,
        'RRULE:FREQ=YEARLY',
        ...Array(200).fill(`END:VEVENT\r\nBEGIN:VEVENT\r\n${CHRISTMAS}\r\nRRULE:FREQ=YEARLY`),
      ),
      /more than 10000/,
    ],
  ]
  for (const [text, fault] of rows) {
    const days = daysOf(text)
    assert.ok('fault' in days)
    assert.match(days.fault, fault)
  }
})

test('no text throws, and every range that comes out is one', () => {
  const line = fc.oneof(
    fc.constantFrom('BEGIN:VEVENT', 'END:VEVENT', 'RRULE:FREQ=YEARLY', CHRISTMAS, ' x', 'A;B="'),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.array(line), (event) => {
      const days = daysOf(calendar(CHRISTMAS, ...event))
      if ('ranges' in days) assert.ok(days.ranges.every(({ from, to }) => from <= to))
      else assert.ok(days.line >= 1)
    }),
  )
})

test('a calendar has the one zone of policies.zones, and must name its own beside several', () => {
  const two = swap('zones: [Europe/Berlin]', 'zones: [Europe/Berlin, UTC]')
  assert.deepEqual(complaints(GOOD), [])
  assert.match(
    complaints(two).join(),
    /holidays-de\.zone is required where policies\.zones does not have just one/,
  )
})
