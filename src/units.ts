/** Durations and sizes as people write them in the configuration (`15m`, `64KiB`), and the seconds of tokens. */

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }
const BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

/** JSON Schema pattern of a duration: a whole number of seconds, minutes, hours or days. */
export const DURATION_PATTERN = '^[1-9][0-9]{0,8}(s|m|h|d)$'

/** JSON Schema pattern of a size: a whole number of bytes or binary multiples. */
export const SIZE_PATTERN = '^[1-9][0-9]{0,8}(B|KiB|MiB|GiB)$'

/**
 * Reads `30s`, `15m`, `1h` or `30d` as seconds.
 * @throws RangeError when the text does not match `DURATION_PATTERN`
 */
export function seconds(duration: string): number {
  return scaled(duration, DURATION_PATTERN, SECONDS)
}

/**
 * Reads `512B`, `64KiB`, `1MiB` or `1GiB` as bytes.
 * @throws RangeError when the text does not match `SIZE_PATTERN`
 */
export function bytes(size: string): number {
  return scaled(size, SIZE_PATTERN, BYTES)
}

function scaled(text: string, pattern: string, units: Readonly<Record<string, number>>): number {
  const unit = new RegExp(pattern).exec(text)?.[1]
  const factor = unit === undefined ? undefined : units[unit]
  if (unit === undefined || factor === undefined) {
    throw new RangeError(`${JSON.stringify(text.slice(0, 40))} does not match ${pattern}`)
  }
  return Number(text.slice(0, -unit.length)) * factor
}

/** Whole seconds since the epoch (RFC 7519 §2 NumericDate) of a time in milliseconds. */
export function epochSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000)
}
