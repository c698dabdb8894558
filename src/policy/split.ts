/** Cuts a file into policies, so that one broken policy hides no other, and turns offsets into places. */

import { scan, type Token } from './scan.ts'
import type { Problem, SourceFile } from './settings.ts'

/** One policy's text with its place. `text` runs from its first token to its `;`. */
export type Piece = {
  readonly path: string
  readonly text: string
  /** Tokens of `text`; offsets are relative to it. */
  readonly tokens: readonly Token[]
  /** The place of an offset into `text`, counted in UTF-16 units. Lines and columns count from 1. */
  readonly place: (offset: number) => { readonly line: number; readonly column: number }
}

/**
 * Cuts at every `;` outside strings and comments. Cedar has no other use for one, so that even a policy
 * with an unclosed brace ends where its author meant it to end. A rest without `;` is a piece too: the
 * parser says what it lacks.
 */
export function split(file: SourceFile): Piece[] {
  const starts = lineStarts(file.text)
  const pieces: Piece[] = []
  let pending: Token[] = []
  const finish = () => {
    const [first, last] = [pending[0], pending.at(-1)]
    if (first && last) pieces.push(piece(file, starts, pending, first.start, last.end))
    pending = []
  }
  for (const token of scan(file.text)) {
    pending.push(token)
    if (token.kind === 'mark' && token.text === ';') finish()
  }
  finish()
  return pieces
}

function piece(
  file: SourceFile,
  starts: readonly number[],
  tokens: readonly Token[],
  start: number,
  end: number,
): Piece {
  return {
    path: file.path,
    text: file.text.slice(start, end),
    tokens: tokens.map((t) => ({ ...t, start: t.start - start, end: t.end - start })),
    place: (offset) => locate(starts, start + offset),
  }
}

/** The problem at an offset of a piece. */
export function problemAt(
  at: Piece,
  offset: number,
  severity: Problem['severity'],
  message: string,
): Problem {
  return { path: at.path, ...at.place(offset), severity, message }
}

/** The UTF-16 offset of a UTF-8 byte offset, which is what Cedar reports. */
export function fromBytes(text: string, bytes: number): number {
  return Buffer.from(text).subarray(0, bytes).toString().length
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

function locate(starts: readonly number[], offset: number): { line: number; column: number } {
  let low = 0
  let high = starts.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((starts[middle] ?? 0) <= offset) low = middle
    else high = middle - 1
  }
  return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
}
