/** "Did you mean": the nearest known word to one that nobody knows. */

/**
 * The known word nearest to `word` by edit distance, when it is near enough to be a slip of the hand:
 * at most a third of the word's length, and never more than three edits.
 *
 * @returns undefined when nothing is near; among equals the first of `known`
 */
export function suggest(word: string, known: readonly string[]): string | undefined {
  let limit = Math.min(3, Math.max(1, Math.floor(word.length / 3)))
  let nearest: string | undefined
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) > limit) continue
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance > limit) continue
    nearest = candidate
    limit = distance - 1
  }
  return nearest
}

/** A clause to append to a message: ` (did you mean "prod-eu"?)`, or nothing. */
export function didYouMean(word: string, known: readonly string[]): string {
  const nearest = suggest(word, known)
  return nearest === undefined ? '' : ` (did you mean ${JSON.stringify(nearest)}?)`
}

/** Levenshtein distance with a swap of neighbours counted as one edit, in two rows and a bit. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(at(above, j) + 1, at(row, j - 1) + 1, at(above, j - 1) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, at(before, j - 2) + 1)
      }
      row.push(cost)
    }
    before = above
    above = row
  }
  return at(above, b.length)
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY
}
