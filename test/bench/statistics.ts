/** Medians with their spread: on shared, noisy cores a single number says nothing. */

/** The median of some values, and between what they lie. */
export type Spread = { readonly median: number; readonly least: number; readonly most: number }

/** @throws Error without a value */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((one, other) => one - other)
  const [least] = sorted
  const most = sorted.at(-1)
  const lower = sorted[Math.floor((sorted.length - 1) / 2)]
  const upper = sorted[Math.ceil((sorted.length - 1) / 2)]
  if (least === undefined || most === undefined || lower === undefined || upper === undefined) {
    throw new Error('no values to summarise')
  }
  return { median: (lower + upper) / 2, least, most }
}

/** Ratios of values that were measured in the same round, so that the noise of the round cancels. */
export function ratio(values: readonly number[], bases: readonly number[]): Spread {
  return spread(values.map((value, round) => value / (bases[round] ?? Number.NaN)))
}
