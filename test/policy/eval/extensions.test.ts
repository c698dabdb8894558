import { test } from 'node:test'
import { assertRows, FAILS } from './evaluated.ts'

test('decimals have one to four places and 64 bits', () => {
  assertRows([
    ['decimal("12.34")', '12.3400'],
    ['decimal("-0.5")', '-0.5000'],
    ['decimal("922337203685477.5807")', '922337203685477.5807'],
    ['decimal("922337203685477.5808")', FAILS],
    ['decimal("-922337203685477.5808")', '-922337203685477.5808'],
    ['decimal("-922337203685477.5809")', FAILS],
    ['decimal("1")', FAILS],
    ['decimal("1.")', FAILS],
    ['decimal(".5")', FAILS],
    ['decimal("+1.0")', FAILS],
    ['decimal("1.00000")', FAILS],
    ['decimal("1.0\\n")', FAILS],
    ['decimal(1)', FAILS],
    ['decimal("1.5").lessThan(decimal("1.50"))', 'false'],
    ['decimal("1.5").lessThanOrEqual(decimal("1.50"))', 'true'],
    ['decimal("-1.5").greaterThan(decimal("-1.6"))', 'true'],
    ['decimal("1.5").greaterThanOrEqual(decimal("1.6"))', 'false'],
    ['decimal("1.5").lessThan(2)', FAILS],
  ])
})

test('addresses: no leading zeros, no embedded IPv4, no zone', () => {
  assertRows([
    ['ip("10.1.2.3")', '10.1.2.3'],
    ['ip("0.0.0.0/0")', '0.0.0.0/0'],
    ['ip("255.255.255.255/32")', '255.255.255.255'],
    ['ip("256.0.0.1")', FAILS],
    ['ip("1.2.3")', FAILS],
    ['ip("1.2.3.4.5")', FAILS],
    ['ip("1..3.4")', FAILS],
    ['ip("01.2.3.4")', FAILS],
    ['ip("1.2.3.0004")', FAILS],
    ['ip("1.2.3.4/33")', FAILS],
    ['ip("1.2.3.4/08")', FAILS],
    ['ip("1.2.3.4/")', FAILS],
    ['ip("1.2.3.4/8/8")', FAILS],
    ['ip("::1")', '::1'],
    ['ip("::")', '::'],
    ['ip("2001:DB8::1/32")', '2001:db8::1/32'],
    ['ip("1:2:3:4:5:6:7::")', '1:2:3:4:5:6:7:0'],
    ['ip("1:2:3:4:5:6:7:8::")', FAILS],
    ['ip("1:2:3:4:5:6:7")', FAILS],
    ['ip("1::2::3")', FAILS],
    ['ip(":::")', FAILS],
    ['ip("12345::")', FAILS],
    ['ip("::ffff:1.2.3.4")', FAILS],
    ['ip("::1%eth0")', FAILS],
    ['ip("::/129")', FAILS],
    ['ip("")', FAILS],
    ['ip("/8")', FAILS],
    ['ip(1)', FAILS],
  ])
})

test('ranges: every address of the left has to be in the right, of the same version', () => {
  assertRows([
    ['ip("10.1.2.3").isInRange(ip("10.0.0.0/8"))', 'true'],
    ['ip("10.1.2.3").isInRange(ip("10.255.0.0/8"))', 'true'],
    ['ip("11.1.2.3").isInRange(ip("10.0.0.0/8"))', 'false'],
    ['ip("10.0.0.0/7").isInRange(ip("10.0.0.0/8"))', 'false'],
    ['ip("1.2.3.4").isInRange(ip("0.0.0.0/0"))', 'true'],
    ['ip("1.2.3.4").isInRange(ip("::/0"))', 'false'],
    ['ip("2001:db8:1::1").isInRange(ip("2001:db8::/33"))', 'true'],
    ['ip("2001:db8:8000::1").isInRange(ip("2001:db8::/33"))', 'false'],
    ['ip("127.9.9.9").isLoopback()', 'true'],
    ['ip("127.0.0.1/7").isLoopback()', 'false'],
    ['ip("::1").isLoopback()', 'true'],
    ['ip("::1/127").isLoopback()', 'false'],
    ['ip("239.1.1.1").isMulticast()', 'true'],
    ['ip("224.0.0.0/3").isMulticast()', 'false'],
    ['ip("ff02::1").isMulticast()', 'true'],
    ['ip("::1").isIpv4()', 'false'],
    ['ip("::1").isIpv6()', 'true'],
    ['"::1".isIpv6()', FAILS],
  ])
})

test('datetimes: five forms, and only days and times that exist', () => {
  assertRows([
    ['datetime("2024-02-29")', '2024-02-29T00:00:00Z'],
    ['datetime("2023-02-29")', FAILS],
    ['datetime("2026-11-19T10:15:00Z")', '2026-11-19T10:15:00Z'],
    ['datetime("2026-11-19T10:15:00.250Z")', '2026-11-19T10:15:00.250Z'],
    ['datetime("2026-11-19T10:15:00+0130")', '2026-11-19T08:45:00Z'],
    ['datetime("2026-11-19T10:15:00.250-0130")', '2026-11-19T11:45:00.250Z'],
    ['datetime("0000-01-01")', '0000-01-01T00:00:00Z'],
    ['datetime("9999-12-31T23:59:59.999-2359")', '+010000-01-01T23:58:59.999Z'],
    ['datetime("2026-11-19T10:15:00")', FAILS],
    ['datetime("2026-11-19T10:15Z")', FAILS],
    ['datetime("2026-11-19T24:00:00Z")', FAILS],
    ['datetime("2026-11-19T23:59:60Z")', FAILS],
    ['datetime("2026-11-19T10:15:00+2400")', FAILS],
    ['datetime("2026-11-19T10:15:00+0060")', FAILS],
    ['datetime("2026-11-19T10:15:00+01:00")', FAILS],
    ['datetime("2026-11-19T10:15:00.25Z")', FAILS],
    ['datetime("2026-13-01")', FAILS],
    ['datetime("2026-11-19t10:15:00Z")', FAILS],
    ['datetime("2026-11-19\\n")', FAILS],
    ['datetime(0)', FAILS],
  ])
})

test('durations: each unit once, the greater first, 64 bits', () => {
  assertRows([
    ['duration("1d2h3m4s5ms")', '1d2h3m4s5ms'],
    ['duration("90m")', '1h30m'],
    ['duration("5ms")', '5ms'],
    ['duration("-1h30m")', '-1h30m'],
    ['duration("0s")', '0s'],
    ['duration("-9223372036854775808ms") < duration("0s")', 'true'],
    ['duration("9223372036854775807ms")', '106751991167d7h12m55s807ms'],
    ['duration("9223372036854775808ms")', FAILS],
    ['duration("106751991168d")', FAILS],
    ['duration("1h1d")', FAILS],
    ['duration("1s1s")', FAILS],
    ['duration("1.5s")', FAILS],
    ['duration("")', FAILS],
    ['duration("-")', FAILS],
    ['duration("+1s")', FAILS],
    ['duration("1")', FAILS],
    ['duration(1)', FAILS],
  ])
})

test('time arithmetic rounds to earlier midnights and fails beyond 64 bits', () => {
  assertRows([
    ['datetime("2026-01-31").offset(duration("1d"))', '2026-02-01T00:00:00Z'],
    [
      'datetime("1970-01-01").offset(duration("9223372036854775807ms")).offset(duration("1ms"))',
      FAILS,
    ],
    ['datetime("2026-01-02").durationSince(datetime("2026-01-01T12:00:00Z"))', '12h'],
    ['datetime("2026-01-01").durationSince(duration("1d"))', FAILS],
    ['datetime("1969-12-31T23:59:59.999Z").toDate()', '1969-12-31T00:00:00Z'],
    ['datetime("1969-12-31T23:59:59.999Z").toTime()', '23h59m59s999ms'],
    ['datetime("1970-01-01").toTime()', '0s'],
    ['datetime("1970-01-01").offset(duration("-9223372036854775808ms")).toDate()', FAILS],
    ['duration("-1500ms").toSeconds()', '-1'],
    ['duration("-1500ms").toMilliseconds()', '-1500'],
    ['duration("119s").toMinutes()', '1'],
    ['duration("1d59m").toHours()', '24'],
    ['duration("9223372036854775807ms").toDays()', '106751991167'],
    ['datetime("1970-01-01").toDays()', FAILS],
  ])
})
