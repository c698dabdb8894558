/** Content negotiation (RFC 9110 §12.5.1), as far as an endpoint with some media types needs it. */

/** More than any client lists. */
const MAX_RANGES = 32

/**
 * The media type that a caller prefers: of the highest weight, and of those the one named first. Wildcards count for the
 * default alone.
 * @param accept the header as sent; absent for anything
 * @param offered exact media types, the default first: it is the answer where nothing else is asked for
 */
export function preferred<Type extends string>(
  accept: string | undefined,
  offered: readonly [Type, ...Type[]],
): Type {
  const [fallback] = offered
  let best: Type = fallback
  let weight = 0
  for (const range of (accept ?? '').split(',', MAX_RANGES)) {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    const named = offered.find((type) => type === name)
    const type = named ?? (name === '*/*' || name === 'application/*' ? fallback : null)
    const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
    const q = quality === undefined ? 1 : Number(quality)
    if (type === null || !(q > weight)) continue
    best = type
    weight = q
  }
  return best
}
