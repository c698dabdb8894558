/**
 * Version numbers out of the texts that nodes give, so that policies compare numbers: as texts, 1.9 would
 * be above 1.10. No I/O. No clock.
 */

/** The leading numbers of a version. What the text does not say is undefined. */
export type Version = {
  readonly major: number
  readonly minor: number | undefined
  readonly patch: number | undefined
}

const NUMBERS = '(\\d{1,9})(?:\\.(\\d{1,9})(?:\\.(\\d{1,9}))?)?(?!\\d)'
const AT_START = new RegExp(`^v?${NUMBERS}`)
const ANYWHERE = new RegExp(`(?:^|[\\s(])v?${NUMBERS}`)

/**
 * A version at the beginning of a text: `v1.34.2+k3s1`, `6.8.0-45-generic`, `2.1.4`. What follows the
 * numbers (a pre-release, a build) does not count.
 */
export function versionOf(text: string | undefined): Version | undefined {
  return numbers(AT_START.exec(text ?? ''))
}

/** The first version in a name: `Ubuntu 24.04.3 LTS`, `Talos (v1.11.2)`. Undefined where the name has none. */
export function versionIn(text: string | undefined): Version | undefined {
  return numbers(ANYWHERE.exec(text ?? ''))
}

function numbers(match: RegExpExecArray | null): Version | undefined {
  if (match === null) return undefined
  const [, major, minor, patch] = match
  const number = (digits: string | undefined) => (digits === undefined ? undefined : Number(digits))
  return { major: Number(major), minor: number(minor), patch: number(patch) }
}
