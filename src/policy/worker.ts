/**
 * Parses and validates policies in a thread that may be thrown away. Policy text is foreign text, and text
 * can kill a Cedar instance (deep nesting exhausts its stack): whatever escapes here ends the thread, and
 * the loader blames the policy that was being read.
 */

import { parentPort, workerData } from 'node:worker_threads'
import type { DetailedError, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { type Cedar, openCedar } from './cedar.ts'
import { headOf } from './head.ts'
import { actions, ISSUE, schema } from './schema.ts'
import type { PolicySettings } from './settings.ts'

/** What the loader hands over: texts, of which `chunk` are checked together. */
export type Task = {
  readonly texts: readonly string[]
  readonly settings: PolicySettings
  readonly chunk: number
}

/** What comes back: `ready` once Cedar is loaded, then one verdict a text, in order. */
export type Report = 'ready' | Verdict

/** What Cedar says about one text. `start` is a UTF-8 byte offset, null where Cedar gives no place. */
export type Remark = { readonly message: string; readonly start: number | null }

/** The result for one text. `json` is null where it is not one static policy. */
export type Verdict = {
  readonly json: PolicyJson | null
  readonly errors: readonly Remark[]
  readonly warnings: readonly Remark[]
}

/** How deep the JSON form may nest. About 400 nested `||` parse and validate, then trap at evaluation. */
const MAX_DEPTH = 200

/** Verdicts of texts that are checked together, in order. */
function judge(cedar: Cedar, texts: readonly string[], settings: PolicySettings): Verdict[] {
  const parsed = texts.map((text) => parse(cedar, text))
  const known = new Set(actions(settings))
  // Every action has the same signature, so the actions that heads name stand for all: checking against
  // those alone finds the same errors in a fraction of the time.
  const named = parsed.flatMap(({ json }) => (json && headOf(json).actions) ?? [ISSUE])
  const quick = schema(
    settings,
    [...new Set([ISSUE, ...named])].filter((name) => known.has(name)),
  )
  const sound = texts.map((text, index) => (parsed[index]?.json ? text : null))
  const suspects = remarks(cedar, sound, quick)
  return parsed.map((verdict, index) => {
    if (!verdict.json || (suspects && !suspects.has(index))) return verdict
    // Hints ("did you mean") need the full schema.
    const found = remarks(cedar, [texts[index] ?? ''], schema(settings))?.get(0)
    return { ...verdict, ...found }
  })
}

function parse(cedar: Cedar, text: string): Verdict {
  const parsed = cedar.policyToJson(text)
  if (parsed.type === 'failure') return refusal(parsed.errors.map(remark))
  if (!deeperThan(parsed.json, MAX_DEPTH)) return { json: parsed.json, errors: [], warnings: [] }
  return refusal([{ message: 'the policy nests too deeply: split it in two', start: null }])
}

type Remarks = { readonly errors: Remark[]; readonly warnings: Remark[] }

/**
 * Validates texts, nulls left out. What Cedar remarks on is found by the text's index; a call that Cedar
 * does not answer is an error of a single text, and null for several.
 */
function remarks(
  cedar: Cedar,
  texts: readonly (string | null)[],
  against: string,
): Map<number, Remarks> | null {
  const entries = [...texts.entries()].flatMap(([index, text]) =>
    text === null ? [] : [[index, text]],
  )
  const answer = cedar.validate({
    schema: against,
    policies: { staticPolicies: Object.fromEntries(entries) },
  })
  if (answer.type === 'failure') {
    if (texts.length > 1) return null
    return new Map([[0, { errors: answer.errors.map(remark), warnings: [] }]])
  }
  const found = new Map<number, Remarks>()
  const of = (policyId: string): Remarks => {
    const known = found.get(Number(policyId)) ?? { errors: [], warnings: [] }
    found.set(Number(policyId), known)
    return known
  }
  for (const { policyId, error } of answer.validationErrors) of(policyId).errors.push(remark(error))
  for (const { policyId, error } of answer.validationWarnings) {
    of(policyId).warnings.push(remark(error))
  }
  return found
}

function refusal(errors: readonly Remark[]): Verdict {
  return { json: null, errors, warnings: [] }
}

function remark(error: DetailedError): Remark {
  const place = error.sourceLocations?.[0]
  const hints = [place?.label, error.help].filter((hint) => hint)
  const message = plain(error.message)
  const help = hints.map((hint) => plain(hint ?? '')).join('; ')
  return { message: help ? `${message} (${help})` : message, start: place?.start ?? null }
}

/** Without the names that policies have only here. */
function plain(message: string): string {
  return message
    .replace('failed to parse policy from string: ', '')
    .replace(/for policy `\d+`, /, '')
}

/** Depth of objects and arrays, found level by level: recursion is what this guards against. */
function deeperThan(root: object, limit: number): boolean {
  let level: object[] = [root]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true
    level = level
      .flatMap((node) => Object.values(node))
      .filter((value) => typeof value === 'object' && value !== null)
  }
  return false
}

function run({ texts, settings, chunk }: Task): void {
  const cedar = openCedar()
  // Settings that make no schema are nobody's policy's fault: they end the thread before it is ready.
  const sound = cedar.checkParseSchema(schema(settings))
  if (sound.type === 'failure')
    throw new Error(sound.errors.map(({ message }) => message).join('; '))
  const report = (message: Report) => parentPort?.postMessage(message)
  report('ready')
  for (let at = 0; at < texts.length; at += chunk) {
    judge(cedar, texts.slice(at, at + chunk), settings).forEach(report)
  }
}

run(workerData)
