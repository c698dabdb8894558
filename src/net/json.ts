/**
 * Strict JSON (RFC 8259, I-JSON RFC 7493 §2) for documents that decide about trust: tokens, key sets,
 * discovery. `JSON.parse` lets the last of two equal names win, so that two readers of one signed
 * document can see different claims; here a repeated name is an error at any level.
 */

export type Json = null | boolean | number | string | readonly Json[] | JsonObject

/** An object without a prototype: `__proto__` and `constructor` are names like any other. */
export type JsonObject = { readonly [name: string]: Json }

/** Why a text is not strict JSON, and where (UTF-16 offset). It never quotes the text. */
export class JsonError extends Error {
  readonly offset: number

  constructor(problem: string, offset: number) {
    super(problem)
    this.name = 'JsonError'
    this.offset = offset
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const LITERALS = [
  ['true', true],
  ['false', false],
  ['null', null],
] as const

/** What needs more than a slice: an escape, or a control character (which is an error). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const UNPLAIN = /[\\\u0000-\u001f]/

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/**
 * Parses a whole text. Refuses repeated names (compared after unescaping, so `s\u0075b` repeats `sub`),
 * deeper nesting than `maxDepth` (a scalar has depth 0, `{}` has depth 1), numbers beyond a double's
 * range, lone surrogates, a byte order mark and anything after the value.
 * @throws JsonError
 */
export function parseJson(text: string, maxDepth: number): Json {
  const quick = text.length >= QUICK_LEAST && text.length <= QUICK_MOST
  const plain = quick ? readPlain(text, maxDepth) : undefined
  if (plain !== undefined) return plain
  const reader = new Reader(text, maxDepth)
  const value = reader.value(0)
  reader.end()
  return value
}

/** Below, our own reader is as fast; above, a text that is read twice would cost its sender too little. */
const QUICK_LEAST = 128
const QUICK_MOST = 16 * 1024

/**
 * What machines write, read by the platform, which takes half the time; undefined for every other text, good or bad.
 * What the platform writes has no name twice in an object and no number beyond a double's range, and without a
 * backslash no escape, so no lone surrogate either. A text that equals what the platform writes of its value is such.
 */
function readPlain(text: string, maxDepth: number): Json | undefined {
  if (text.includes('\\')) return undefined
  try {
    const value: Json = JSON.parse(text)
    return JSON.stringify(value) === text ? bared(value, maxDepth) : undefined
  } catch {
    // Whoever reads it properly says what is wrong with it, without quoting the text.
    return undefined
  }
}

/** The same in objects without a prototype. @throws JsonError where it is nested too deeply */
function bared(value: Json, depth: number): Json {
  if (typeof value !== 'object' || value === null) return value
  if (depth <= 0) throw new JsonError('nested too deeply', 0)
  if (Array.isArray(value)) return value.map((item) => bared(item, depth - 1))
  const object = value as JsonObject
  const members: Record<string, Json> = Object.create(null)
  for (const name of Object.keys(object)) members[name] = bared(object[name] ?? null, depth - 1)
  return members
}

/** Whether a value is a JSON object, not an array or null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

class Reader {
  private at = 0
  private readonly text: string
  private readonly maxDepth: number

  constructor(text: string, maxDepth: number) {
    this.text = text
    this.maxDepth = maxDepth
  }

  value(depth: number): Json {
    const code = this.peek()
    if (code === QUOTE) return this.string()
    if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      if (depth >= this.maxDepth) throw this.error('nested too deeply')
      this.at += 1
      return code === OPEN_OBJECT ? this.object(depth + 1) : this.array(depth + 1)
    }
    for (const [word, meaning] of LITERALS) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length
        return meaning
      }
    }
    return this.number()
  }

  end(): void {
    if (!Number.isNaN(this.peek())) throw this.error('text after the value')
  }

  private object(depth: number): JsonObject {
    const members: Record<string, Json> = Object.create(null)
    if (this.take(CLOSE_OBJECT)) return members
    do {
      if (this.peek() !== QUOTE) throw this.error('a name was expected')
      const name = this.string()
      if (name in members) throw this.error('repeated name')
      if (!this.take(COLON)) throw this.error('a colon was expected')
      members[name] = this.value(depth)
    } while (this.take(COMMA))
    if (!this.take(CLOSE_OBJECT)) throw this.error('the end of an object was expected')
    return members
  }

  private array(depth: number): readonly Json[] {
    const items: Json[] = []
    if (this.take(CLOSE_ARRAY)) return items
    do items.push(this.value(depth))
    while (this.take(COMMA))
    if (!this.take(CLOSE_ARRAY)) throw this.error('the end of an array was expected')
    return items
  }

  private string(): string {
    const start = this.at + 1
    const end = this.closingQuote(start)
    const raw = this.text.slice(start, end)
    if (!UNPLAIN.test(raw)) {
      this.at = end + 1
      return raw
    }
    const unescaped = this.unescape(start, end)
    this.at = end + 1
    return unescaped
  }

  private closingQuote(start: number): number {
    let end = this.text.indexOf('"', start)
    while (end !== -1) {
      let backslashes = 0
      while (this.text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes += 1
      // An even number of backslashes escape one another, and the quote is not escaped.
      if (backslashes % 2 === 0) return end
      end = this.text.indexOf('"', end + 1)
    }
    throw this.error('a string does not end')
  }

  /** Escapes are rare in tokens, so the platform's parser may see the one string that has them. */
  private unescape(start: number, end: number): string {
    try {
      const text: string = JSON.parse(this.text.slice(start - 1, end + 1))
      if (text.isWellFormed()) return text
    } catch {
      // A control character or an unknown escape. The parser's own message would quote the text.
    }
    throw this.error('invalid string')
  }

  private number(): number {
    NUMBER.lastIndex = this.at
    const digits = NUMBER.exec(this.text)?.[0]
    if (digits === undefined) throw this.error('a value was expected')
    const value = Number(digits)
    if (!Number.isFinite(value)) throw this.error('number out of range')
    this.at += digits.length
    return value
  }

  private take(code: number): boolean {
    if (this.peek() !== code) return false
    this.at += 1
    return true
  }

  /** The next character code that is not white space (RFC 8259 §2); NaN at the end. */
  private peek(): number {
    let code = this.text.charCodeAt(this.at)
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) {
      this.at += 1
      code = this.text.charCodeAt(this.at)
    }
    return code
  }

  private error(problem: string): JsonError {
    return new JsonError(problem, this.at)
  }
}
