import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytes, seconds } from '../src/units.ts'

test('durations are read as seconds', () => {
  assert.deepEqual(['30s', '15m', '1h', '30d'].map(seconds), [30, 900, 3600, 2_592_000])
})

test('sizes are read as bytes', () => {
  assert.deepEqual(['512B', '64KiB', '1MiB', '2GiB'].map(bytes), [512, 65_536, 1_048_576, 2 ** 31])
})

for (const text of [
  '',
  '0s',
  '1',
  's',
  '-1s',
  '1.5h',
  '1h30m',
  ' 1h',
  '1h\n',
  '1H',
  '1week',
  '٣s',
]) {
  test(`${JSON.stringify(text)} is no duration`, () => {
    assert.throws(() => seconds(text), RangeError)
  })
}

test('a size needs its unit, in the binary spelling', () => {
  for (const text of ['64', '64KB', '64kb', '1TiB']) assert.throws(() => bytes(text), RangeError)
})
