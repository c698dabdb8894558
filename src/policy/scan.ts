/**
 * Cedar's tokens with their places: just enough of the lexer to cut files into policies and to point at
 * the wrong word. It never decides what a policy means; Cedar's own parser does that.
 */

/** One token. Offsets are UTF-16 units into the scanned text; `text` is the source, quotes included. */
export type Token = {
  readonly kind: 'word' | 'string' | 'mark'
  readonly text: string
  readonly start: number
  readonly end: number
}

// White space and comments first, so that what follows is always a token. A string may span lines and
// may lack its closing quote: then it reaches to the end, and Cedar's parser reports it.
const PATTERN = /\s+|\/\/[^\n]*|(\w+)|("(?:[^"\\]+|\\[\s\S])*"?)|(::|==|!=|<=|>=|&&|\|\||[\s\S])/gy

/** The tokens of `text` in order, comments and white space left out. Never throws. */
export function scan(text: string): Token[] {
  const tokens: Token[] = []
  for (const match of text.matchAll(PATTERN)) {
    const [whole, word, string, mark] = match
    const kind = word ? 'word' : string ? 'string' : mark ? 'mark' : null
    if (kind === null) continue
    tokens.push({ kind, text: whole, start: match.index, end: match.index + whole.length })
  }
  return tokens
}

/** What bracket opens or closes at a token: +1, -1 or 0. */
export function nesting(token: Token): 1 | 0 | -1 {
  if (token.kind !== 'mark') return 0
  if (token.text === '(' || token.text === '[' || token.text === '{') return 1
  if (token.text === ')' || token.text === ']' || token.text === '}') return -1
  return 0
}

const ESCAPE = /\\(?:u\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|([\s\S]))/g
const SIMPLE: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '0': '\0' }

/** The value of a string token: quotes off, escapes resolved. */
export function unquote(source: string): string {
  return source.replace(/^"|"$/g, '').replace(ESCAPE, (_all, code, byte, char: string) => {
    const point = Number.parseInt(code ?? byte, 16)
    if (Number.isNaN(point)) return SIMPLE[char] ?? char
    return point > 0x10_ff_ff ? '' : String.fromCodePoint(point)
  })
}

/** A string as a Cedar literal, in quotes. Nothing in it can end the literal. */
export function quote(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is escaped
  const escaped = value.replace(/["\\\u0000-\u001f\u007f]/g, (char) =>
    char === '"' || char === '\\' ? `\\${char}` : `\\u{${char.charCodeAt(0).toString(16)}}`,
  )
  return `"${escaped}"`
}

/** An entity as written in a policy: `Cluster::"prod-eu"`. */
export function entityText(entity: { readonly type: string; readonly id: string }): string {
  return `${entity.type}::${quote(entity.id)}`
}
