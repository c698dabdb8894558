/**
 * YAML text → plain data, with the place of every setting. Only the part of YAML 1.2 that is JSON with
 * comments: what can hide, repeat or multiply settings (aliases, merge keys, tags, duplicate keys, several
 * documents) is refused, because a reviewer would read another configuration than the server.
 */

import type { CST, Document, Node, Pair } from 'yaml'
import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, Parser } from 'yaml'
import type { Problem } from '../policy/settings.ts'
import { type Locate, quote, type SettingPath } from './findings.ts'

const MAX_BYTES = 1024 * 1024
// Far more than any setting needs; the composer and the walks after it recurse once for each level.
const MAX_DEPTH = 32
const MAX_SYNTAX_PROBLEMS = 20

/** A configuration file as data; `value` holds what JSON can hold. */
export type SourceDocument = { readonly value: unknown; readonly locate: Locate }

type Fault = { readonly offset: number; readonly message: string }

/**
 * Reads one YAML document. Never throws.
 * @param source the file; text is taken to have been decoded from UTF-8
 * @param file its path for the problems
 * @returns the document, or why it could not be read
 */
export function readDocument(
  source: string | Uint8Array,
  file: string,
): SourceDocument | { readonly problems: readonly Problem[] } {
  const lines = new LineCounter()
  const refuse = (faults: readonly Fault[]) => ({
    problems: faults.slice(0, MAX_SYNTAX_PROBLEMS).map(({ offset, message }): Problem => {
      const { line, col } = lines.linePos(offset)
      return {
        path: file,
        line: Math.max(1, line),
        column: Math.max(1, col),
        severity: 'error',
        message,
      }
    }),
  })
  const text = decode(source)
  if (typeof text !== 'string') return refuse([text])
  const tokens = tokenize(text, lines)
  if (!Array.isArray(tokens)) return refuse([tokens])
  const document = compose(tokens, text.length)
  if (document === undefined || document.contents === null) {
    return refuse([{ offset: 0, message: 'the configuration is empty' }])
  }
  const faults = document.errors.map(({ pos, message }) => ({
    offset: pos[0],
    message: `not valid YAML: ${message}`,
  }))
  if (faults.length > 0) return refuse(faults)
  const value = plain(document.contents, faults)
  return faults.length > 0 ? refuse(faults) : { value, locate: locator(document, lines) }
}

function decode(source: string | Uint8Array): string | Fault {
  const size = typeof source === 'string' ? Buffer.byteLength(source) : source.byteLength
  if (size > MAX_BYTES) {
    return { offset: 0, message: `the file has ${size} bytes; at most 1 MiB is read` }
  }
  const text =
    typeof source === 'string'
      ? source
      : new TextDecoder('utf-8', { ignoreBOM: true }).decode(source)
  if (text.startsWith('\ufeff')) {
    return { offset: 0, message: 'the file starts with a byte order mark; save it without one' }
  }
  // U+FFFD is what a decoder leaves in place of bytes that are not UTF-8.
  return text.includes('\ufffd') ? { offset: 0, message: 'the file is not UTF-8 text' } : text
}

/** The tokens of one document that is safe to compose: composing recurses, and obeys directives. */
function tokenize(text: string, lines: LineCounter): CST.Token[] | Fault {
  const tokens: CST.Token[] = []
  const parser = new Parser(lines.addNewLine)
  lines.addNewLine(0)
  let errors = 0
  for (const lexeme of new Lexer().lex(text)) {
    const { offset } = parser
    for (const token of parser.next(lexeme)) {
      tokens.push(token)
      if (token.type === 'error') errors += 1
    }
    if (errors > MAX_SYNTAX_PROBLEMS) break
    // The document itself is on the stack too.
    if (parser.stack.length > MAX_DEPTH + 1) {
      return { offset, message: `nested deeper than ${MAX_DEPTH} levels` }
    }
  }
  tokens.push(...parser.end())
  const directive = tokens.find(({ type }) => type === 'directive')
  if (directive !== undefined) {
    return { offset: directive.offset, message: 'YAML directives (%) are not accepted' }
  }
  const second = tokens.filter(({ type }) => type === 'document')[1]
  return second === undefined
    ? tokens
    : { offset: second.offset, message: 'the file holds more than one YAML document' }
}

function compose(tokens: readonly CST.Token[], length: number): Document.Parsed | undefined {
  const composer = new Composer({
    version: '1.2',
    schema: 'core',
    merge: false,
    stringKeys: true,
    // Checked in `plain`, in linear time; the library compares every key with every other.
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
  })
  return [...composer.compose(tokens, true, length)][0]
}

/** Turns a node into data; reports what is YAML but more than JSON with comments. */
function plain(node: unknown, faults: Fault[]): unknown {
  if (isAlias(node)) {
    faults.push({
      offset: start(node),
      message: 'YAML aliases (*) are not accepted; repeat the value',
    })
    return null
  }
  if (!isScalar(node) && !isMap(node) && !isSeq(node)) return null
  if (node.anchor !== undefined) {
    faults.push({ offset: start(node), message: 'YAML anchors (&) are not accepted' })
  }
  if (node.tag !== undefined) {
    faults.push({ offset: start(node), message: `YAML tags (${quote(node.tag)}) are not accepted` })
  }
  if (isScalar(node)) return node.value
  if (isSeq(node)) return node.items.map((item) => plain(item, faults))
  const seen = new Set<string>()
  return Object.fromEntries(
    node.items.map((pair) => {
      const name = keyOf(pair)
      const offset = start(pair.key)
      if (seen.has(name)) faults.push({ offset, message: `${quote(name)} is set twice` })
      if (name === '<<') faults.push({ offset, message: 'YAML merge keys (<<) are not accepted' })
      seen.add(name)
      plain(pair.key, faults)
      return [name, plain(pair.value, faults)]
    }),
  )
}

function locator(document: Document.Parsed, lines: LineCounter): Locate {
  return (path, token) => {
    const { line, col } = lines.linePos(offsetOf(document.contents, path, token))
    return { line, column: col }
  }
}

/** The token of the deepest setting on `path` that is in the file: its key once the path leaves the file. */
function offsetOf(root: Node | null, path: SettingPath, token: 'value' | 'key'): number {
  let node: unknown = root
  let key: unknown = root
  for (const step of path) {
    const item: unknown =
      isSeq(node) && typeof step === 'number'
        ? node.items[step]
        : isMap(node)
          ? node.items.find((pair) => keyOf(pair) === step)
          : undefined
    if (item === undefined) return start(key)
    if (typeof step === 'number') {
      node = key = item
    } else {
      const pair = item as Pair
      node = pair.value
      key = pair.key
    }
  }
  const isBlank = isScalar(node) && node.value === null && node.source === ''
  return start(token === 'key' || node === null || isBlank ? key : node)
}

function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : ''
}

function start(node: unknown): number {
  const range = (node as { readonly range?: readonly number[] | null } | null)?.range
  return range?.[0] ?? 0
}
