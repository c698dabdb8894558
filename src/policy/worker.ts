/**
 * Parses and validates policies in a thread that may be thrown away. Policy text is foreign text, and text
 * can kill a Cedar instance (deep nesting exhausts its stack): whatever escapes here ends the thread, and
 * the loader blames the policy that was being read.
 */

import { parentPort, workerData } from 'node:worker_threads'
import type { DetailedError, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { type Cedar, openCedar } from './cedar.ts'
import { compilePolicy } from './eval/compile.ts'
import { Unsupported } from './eval/failure.ts'
import { parsePolicy } from './eval/parse.ts'
import { headOf } from './head.ts'
import { PRINCIPALS } from './principals.ts'
import { actionGroup, actions, ISSUE, schema } from './schema.ts'
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

/** How deep the JSON form may nest. Far from what Cedar's validator and our compiler can take. */
const MAX_DEPTH = 200

/** Verdicts of texts that are checked together, in order. */
function judge(cedar: Cedar, texts: readonly string[], world: World): Verdict[] {
  const parsed = texts.map((text) => parse(cedar, text))
  const sound = [...parsed.keys()].filter((index) => parsed[index]?.json)
  const kinds = Map.groupBy(sound, (index) => principalTypes(parsed[index]?.json ?? null).join())
  const suspects = new Set<number>()
  for (const [types, indexes] of kinds) {
    const heads = indexes.flatMap((index) => parsed[index]?.json ?? [])
    const quick = schema(world.settings, {
      actions: representatives(heads, world.actions),
      principals: types.split(','),
    })
    const found = remarks(
      cedar,
      new Map(indexes.map((index) => [index, texts[index] ?? ''])),
      quick,
    )
    for (const index of found?.keys() ?? indexes) suspects.add(index)
  }
  return parsed.map((verdict, index) => {
    if (!suspects.has(index)) return verdict
    // Hints ("did you mean") need the full schema.
    const found = remarks(cedar, new Map([[index, texts[index] ?? '']]), world.full)
    return { ...verdict, ...found?.get(index) }
  })
}

/** What every check needs, worked out once. */
type World = {
  readonly settings: PolicySettings
  readonly full: string
  /** Every action, under its own name and under that of its group. */
  readonly actions: ReadonlyMap<string, string>
}

function worldOf(settings: PolicySettings): World {
  const all = actions(settings)
  const named = all.flatMap((action): [string, string][] => {
    const group = actionGroup(action)
    return group === null
      ? [[action, action]]
      : [
          [group, action],
          [action, action],
        ]
  })
  return { settings, full: schema(settings), actions: new Map(named) }
}

/**
 * The actions to check heads against. Every action has the same signature, so one stands for its group,
 * and one for all where a head names none: the same errors are found in a fraction of the time.
 */
function representatives(policies: readonly PolicyJson[], known: World['actions']): string[] {
  const named = policies.flatMap((json) => headOf(json).actions ?? [])
  return [...new Set([ISSUE, ...named.flatMap((name) => known.get(name) ?? [])])]
}

/** The principal types that a head can match; for the others a policy is void, never wrong. */
function principalTypes(json: PolicyJson | null): string[] {
  const all = Object.keys(PRINCIPALS)
  const principal = json && headOf(json).principal
  if (!principal || principal.op === 'any') return all
  const only = principal.op === '==' ? principal.entity.type : principal.type
  if (only !== null) return all.includes(only) ? [only] : all
  const container = 'entity' in principal ? principal.entity.type : ''
  const inside = all.filter((type) => PRINCIPALS[type]?.ancestry.includes(container))
  return inside.length > 0 ? inside : all
}

function parse(cedar: Cedar, text: string): Verdict {
  const parsed = parsePolicy(cedar, text)
  if ('errors' in parsed) return refusal(parsed.errors.map(remark))
  const { json } = parsed
  const fault = deeperThan(json, MAX_DEPTH) ? TOO_DEEP : unsupported(json)
  if (fault !== null) return refusal([{ message: fault, start: null }])
  return { json, errors: [], warnings: [] }
}

const TOO_DEEP = 'the policy nests too deeply: split it in two'

/** What of a policy our evaluator does not know, as a sentence; null where it knows everything. */
function unsupported(json: PolicyJson): string | null {
  try {
    compilePolicy(json)
    return null
  } catch (error) {
    if (error instanceof Unsupported) return `the policy cannot be evaluated here: ${error.message}`
    throw error
  }
}

type Remarks = { readonly errors: Remark[]; readonly warnings: Remark[] }

/**
 * Validates texts. What Cedar remarks on is found by the text's index; a call that Cedar does not answer
 * is an error of a single text, and null for several.
 */
function remarks(
  cedar: Cedar,
  texts: ReadonlyMap<number, string>,
  against: string,
): Map<number, Remarks> | null {
  const answer = cedar.validate({
    schema: against,
    policies: { staticPolicies: Object.fromEntries(texts) },
  })
  if (answer.type === 'failure') {
    const [only, another] = texts.keys()
    if (only === undefined || another !== undefined) return null
    return new Map([[only, { errors: answer.errors.map(remark), warnings: [] }]])
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
  const world = worldOf(settings)
  // Settings that make no schema are nobody's policy's fault: they end the thread before it is ready.
  const sound = cedar.checkParseSchema(world.full)
  if (sound.type === 'failure')
    throw new Error(sound.errors.map(({ message }) => message).join('; '))
  const report = (message: Report) => parentPort?.postMessage(message)
  report('ready')
  for (let at = 0; at < texts.length; at += chunk) {
    judge(cedar, texts.slice(at, at + chunk), world).forEach(report)
  }
}

run(workerData)
