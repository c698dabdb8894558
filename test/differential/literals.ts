/** Literals of every type, the awkward ones included: what is at a limit, beside it, or malformed. */

import { quote } from '../../src/policy/scan.ts'
import type { Random } from './random.ts'

/** The types that expressions are generated for. */
export const TYPES = [
  'Bool',
  'Long',
  'String',
  'User',
  'Team',
  'Ip',
  'Decimal',
  'Datetime',
  'Duration',
  'Longs',
  'Strings',
  'Users',
  'Record',
] as const

/** See above. `Longs` is a set of Longs, and so on. */
export type Type = (typeof TYPES)[number]

const LONGS = [
  '0',
  '1',
  '-1',
  '2',
  '3',
  '7',
  '1000',
  '4294967296',
  '-4294967297',
  '3037000500',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '-9007199254740993',
  '9223372036854775807',
  '9223372036854775806',
  '-9223372036854775807',
  '-9223372036854775808',
]

/** Texts for strings that entities and contexts hold, and that literals repeat. */
export const STRINGS = [
  '',
  'a',
  'b',
  'ab',
  'aab',
  'abab',
  'a*b',
  '*',
  'é',
  'e\u0301',
  '😀',
  'x😀y',
  '\\',
  '"',
  '\n',
  'A',
  'name',
  '0',
  'true',
]

/** Addresses and ranges; those after the first dozen or so are none. */
export const IPS = [
  '10.0.0.1',
  '10.0.0.0/8',
  '10.1.2.3/16',
  '10.1.0.0/9',
  '10.0.0.1/31',
  '127.0.0.1',
  '127.0.0.1/7',
  '127.1.2.3/8',
  '224.0.0.1',
  '224.0.0.0/3',
  '0.0.0.0/0',
  '255.255.255.255',
  '::1',
  '::1/127',
  '::',
  '::/0',
  'ff00::1',
  'ff00::/7',
  '2001:db8::1/32',
  '1:2:3:4:5:6:7:8',
  '1::8',
  '::ffff:0a00:1',
  '1:2:3:4:5:6:7::',
  '',
  '1.2.3',
  '1.2.3.4.5',
  '256.1.1.1',
  '01.2.3.4',
  '1.2.3.4/33',
  '1.2.3.4/08',
  '1.2.3.4/',
  '::1/129',
  ':::',
  '1::2::3',
  '::ffff:1.2.3.4',
  '12345::',
  'g::',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7',
  ' 1.2.3.4',
  '1.2.3.4 ',
  '::1%eth0',
  '1:2:3:4:5:6:7:8::',
  ':1',
  '1:',
  '/8',
  '1.2.3.4/-1',
  '1.2.3.4/+1',
  '::/000',
]

/** Decimals; the later ones are none. */
export const DECIMALS = [
  '0.0',
  '-0.0',
  '1.0',
  '1.00',
  '1.5',
  '-1.5',
  '0.0001',
  '-0.0001',
  '00001.1',
  '922337203685477.5807',
  '-922337203685477.5808',
  '12.3456',
  '-12.34',
  '922337203685477.5808',
  '-922337203685477.5809',
  '1',
  '1.',
  '.5',
  '1.23456',
  '+1.0',
  '1e3',
  '',
  '-',
  '1.0 ',
  '--1.0',
  '1.-5',
  '٣.١',
  '99999999999999999999.0',
]

/** Instants; the later ones are none. */
export const DATETIMES = [
  '1970-01-01',
  '1969-12-31',
  '1970-01-02',
  '2024-02-29',
  '0000-01-01',
  '9999-12-31',
  '1969-12-31T23:59:59.999Z',
  '2026-11-19T10:15:00Z',
  '2026-11-19T10:15:00.250Z',
  '2026-11-19T10:15:00+0100',
  '2026-11-19T10:15:00.001-2359',
  '1970-01-01T00:00:00Z',
  '1970-01-01T00:00:00.001Z',
  '0000-01-01T00:00:00+2359',
  '2023-02-29',
  '2026-13-01',
  '2026-00-01',
  '2026-01-00',
  '2026-1-1',
  '2026-11-19T24:00:00Z',
  '2026-11-19T10:60:00Z',
  '2026-11-19T10:15:60Z',
  '2026-11-19T10:15:00',
  '2026-11-19T10:15Z',
  '2026-11-19T10:15:00.25Z',
  '2026-11-19T10:15:00+2400',
  '2026-11-19T10:15:00+0160',
  '2026-11-19t10:15:00Z',
  '2026-11-19T10:15:00z',
  '2026-11-19 10:15:00Z',
  '',
  '02026-01-01',
  '-2026-01-01',
  '2026-11-19T10:15:00.000+01:00',
  '2026-11-19Z',
  '2026-11-19T10:15:00.1234Z',
  '2026-04-31',
]

/** Spans; the later ones are none. */
export const DURATIONS = [
  '0ms',
  '1ms',
  '-1ms',
  '1s',
  '999ms',
  '1m',
  '-1m',
  '1h',
  '24h',
  '1d',
  '-1d',
  '1d2h3m4s5ms',
  '90m',
  '1d1ms',
  '-2d3h',
  '00001s',
  '9223372036854775807ms',
  '-9223372036854775808ms',
  '-0ms',
  '106751991167d',
  '9223372036854775808ms',
  '-9223372036854775809ms',
  '106751991168d',
  '',
  '-',
  '1',
  'd',
  '1h1d',
  '1s1s',
  '1ms1s',
  '+1s',
  '1.5s',
  '1 s',
  '1S',
  '--1s',
  '1d-1h',
  '18446744073709551616ms',
  '1w',
  '٣s',
]

/** A literal of a type as Cedar text; often enough a malformed one, where there are any. */
export function literal(type: Type, by: Random): string {
  const several = (item: Type) =>
    `[${Array.from({ length: by.below(4) }, () => literal(item, by)).join(', ')}]`
  switch (type) {
    case 'Bool':
      return by.pick(['true', 'false'])
    case 'Long':
      return by.chance(0.5) ? String(by.below(7) - 3) : by.pick(LONGS)
    case 'String':
      return text(by.pick(STRINGS), by)
    case 'User':
      return `User::"${by.pick(['alice', 'bob', 'carol', 'nobody'])}"`
    case 'Team':
      return by.pick(['Team::"red"', 'Team::"blue"', 'Org::"all"', 'Team::"gone"'])
    case 'Ip':
      return `ip(${text(mostlyGood(IPS, 23, by), by)})`
    case 'Decimal':
      return `decimal(${text(mostlyGood(DECIMALS, 13, by), by)})`
    case 'Datetime':
      return `datetime(${text(mostlyGood(DATETIMES, 14, by), by)})`
    case 'Duration':
      return `duration(${text(mostlyGood(DURATIONS, 20, by), by)})`
    case 'Longs':
      return several('Long')
    case 'Strings':
      return several('String')
    case 'Users':
      return several('User')
    case 'Record':
      return `{city: ${literal('String', by)}, "zip": ${literal('Long', by)}}`
  }
}

function mostlyGood(from: readonly string[], good: number, by: Random): string {
  return by.chance(0.93) ? by.pick(from.slice(0, good)) : by.pick(from)
}

/** A string literal; sometimes with its characters escaped. */
function text(value: string, by: Random): string {
  if (by.chance(0.8)) return quote(value)
  return `"${[...value].map((char) => `\\u{${char.codePointAt(0)?.toString(16)}}`).join('')}"`
}

/** A pattern for `like`. */
export function pattern(by: Random): string {
  const parts = Array.from({ length: by.below(5) }, () =>
    by.pick(['*', '*', '\\*', 'a', 'b', 'ab', 'é', '😀', '\\u{41}', 'e', '\\\\', '\\"']),
  )
  return `"${parts.join('')}"`
}
