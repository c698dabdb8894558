/**
 * Subject templates: `{repository_owner_id}/{repository_id}` makes a workload's name out of claims. What comes out
 * is part of a URI and of a Cedar id, and different claims never make the same name. No I/O. No clock.
 */

import type { JsonObject } from '../../src/net/json.ts'
import { invalidClaim } from '../claims.ts'
import { claimAlong, stepsOf } from './places.ts'

/** A template taken apart: texts as they are, and places of claims. */
export type Template = readonly Part[]

type Part =
  | { readonly literal: string }
  | { readonly place: string; readonly steps: readonly string[] }

const LITERAL = /^[A-Za-z0-9._~:@/-]+$/
const MAX_VALUE = 512

/** What stands in a name as it is; nearly every value has nothing else. */
const UNENCODED = /^[A-Za-z0-9._~:@-]*$/

/**
 * Reads a template. Two claims need a slash between them: their values have none once they are encoded, so that
 * `ab` + `c` and `a` + `bc` stay apart.
 * @returns what is wrong with it, as the end of a sentence
 */
export function readTemplate(text: string): Template | string {
  const pieces = text.match(/\{[^{}]+\}|[^{}]+|[{}]/g) ?? []
  const parts = pieces.map((piece): Part => {
    const place = /^\{([^{}]+)\}$/.exec(piece)?.[1]
    return place === undefined ? { literal: piece } : { place, steps: stepsOf(place) }
  })
  const bad = parts.find((part) => 'literal' in part && !LITERAL.test(part.literal))
  if (bad !== undefined && 'literal' in bad) {
    return `has ${JSON.stringify(bad.literal)} outside of a {claim}; only letters, digits and ._~:@/- stand there`
  }
  if (!parts.some((part) => 'place' in part)) return 'names no {claim}'
  const outline = parts.map((part) => ('place' in part ? '{}' : part.literal)).join('')
  const segments = outline.split('/')
  if (segments.some((segment) => ['', '.', '..'].includes(segment)))
    return 'has an empty segment, "." or ".."'
  if (segments.some((segment) => segment.split('{}').length > 2)) {
    return 'needs a slash between two claims, or different claims could make the same subject'
  }
  return parts
}

/** The places of claims that a template names. */
export function placesOf(template: Template): readonly string[] {
  return template.flatMap((part) => ('place' in part ? part.place : []))
}

/**
 * Puts the claims of a token whose signature holds into a template.
 * @throws Refusal `claim_invalid` for a claim that is missing or makes no name
 */
export function renderSubject(template: Template, claims: JsonObject): string {
  let subject = ''
  for (const part of template) {
    subject += 'place' in part ? encodePart(text(claims, part)) : part.literal
  }
  return subject
}

/**
 * Percent-encodes one part of a URI path (RFC 3986 §3.3, UTF-8). Left as they are: unreserved characters, and `:`
 * and `@`, which subjects are full of and a path segment may have.
 */
export function encodePart(value: string): string {
  if (UNENCODED.test(value)) return value
  return encodeURIComponent(value)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%3A', ':')
    .replaceAll('%40', '@')
}

function text(claims: JsonObject, { place, steps }: Extract<Part, { place: string }>): string {
  const found = claimAlong(claims, steps)
  const value = Number.isSafeInteger(found) ? String(found) : found
  // "." and ".." would be taken for steps of a path by whoever reads the URI.
  const isName = typeof value === 'string' && value !== '' && value !== '.' && value !== '..'
  if (isName && value.length <= MAX_VALUE) return value
  throw invalidClaim(place, `a text of 1 to ${MAX_VALUE} characters, or a whole number`, found)
}
