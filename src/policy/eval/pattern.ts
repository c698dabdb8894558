/**
 * The patterns of `like`: literal text with `*` for any text, and nothing else. Linear in the number of
 * literals times the length of the text: no pattern makes it explode.
 */

/** One element of a pattern, as Cedar's JSON form has it: an escaped `\*` is a literal there. */
export type PatternElement = 'Wildcard' | { readonly Literal: string }

/** Whether a text matches. */
export type Matcher = (text: string) => boolean

/**
 * Compiles a pattern. Comparing UTF-16 units is comparing code points: no literal begins or ends inside one.
 */
export function matcher(elements: readonly PatternElement[]): Matcher {
  const literals = ['']
  for (const element of elements) {
    if (element === 'Wildcard') literals.push('')
    else literals.push((literals.pop() ?? '') + element.Literal)
  }
  const [first = '', ...rest] = literals
  const last = rest.pop()
  if (last === undefined) return (text) => text === first
  const between = rest.filter((literal) => literal !== '')
  const least = first.length + last.length
  return (text) =>
    text.length >= least &&
    text.startsWith(first) &&
    text.endsWith(last) &&
    // Taking each literal at its first place leaves the most text for those after it.
    inOrder(between, text, first.length, text.length - last.length)
}

function inOrder(literals: readonly string[], text: string, from: number, end: number): boolean {
  let at = from
  for (const literal of literals) {
    const found = text.indexOf(literal, at)
    if (found === -1) return false
    at = found + literal.length
  }
  return at <= end
}
