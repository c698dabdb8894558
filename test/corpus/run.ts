/**
 * `npm run test:corpus`: every case of the official Cedar corpus, decided by our evaluator. It has to agree in
 * decision, determining policies and erring policies; what the compiler refuses is counted by cause. Skipped,
 * with a reason, where `../shared/corpus` is not there.
 */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { openCedar } from '../../src/policy/cedar.ts'
import { Unsupported } from '../../src/policy/eval/failure.ts'
import { parsePolicy } from '../../src/policy/eval/parse.ts'
import { type Judged, ours } from '../differential/cases.ts'
import {
  type Json,
  type JsonEntity,
  parseExactly,
  readEntities,
  readFields,
  readUid,
} from '../differential/json.ts'
import { implied } from './implied.ts'

const CORPUS = resolve(import.meta.dirname, '../../../shared/corpus')

/** The part of the cases that has to be evaluated, not refused. */
const LEAST = 0.9

type Case = {
  readonly policies: string
  readonly schema: string
  readonly entities: string
  readonly requests: readonly {
    readonly principal: Json
    readonly action: Json
    readonly resource: Json
    readonly context: { readonly [name: string]: Json }
    readonly decision: string
    readonly reason: readonly string[]
    readonly errors: readonly string[]
  }[]
}

type Outcome = { readonly requests: number; readonly disagreements: readonly string[] }

const CEDAR = openCedar()

/** The policies of a file under the names that the corpus gives them: `policy0`, `policy1`, … in order. */
function judges(text: string): Judged[] {
  const parts = CEDAR.policySetTextToParts(text)
  if (parts.type === 'failure') throw new Unsupported('a policy set that does not parse')
  if (parts.policy_templates.length > 0) throw new Unsupported('a template, which has slots')
  // The parts come sorted by name: policy0, policy1, policy10, policy2, …
  const names = parts.policies.map((_, index) => `policy${index}`).sort()
  return parts.policies.map((policy, index) => {
    const parsed = parsePolicy(CEDAR, policy)
    if ('errors' in parsed) throw new Unsupported('a policy that does not parse by itself')
    const id = parsed.json.annotations?.['id'] ?? names[index] ?? ''
    return { id, effect: parsed.json.effect, json: parsed.json }
  })
}

function decideCase(root: string, file: string): Outcome {
  const read = (path: string) => readFileSync(join(root, path), 'utf8')
  const { policies, schema, entities, requests } = parseExactly(readFileSync(file, 'utf8')) as Case
  const answer = ours(judges(read(policies)))
  // Only the hand-written cases leave anything to the schema.
  const implicit = policies.startsWith('tests/') ? implied(CEDAR, read(schema)) : null
  const listed = parseExactly(read(entities)) as JsonEntity[]
  const known = readEntities(implicit ? listed.map(implicit.entity) : listed)
  const disagreements = requests.flatMap((request, index) => {
    const { action, context } = request
    const found = answer({
      principal: readUid(request.principal),
      action: readUid(action),
      resource: readUid(request.resource),
      context: readFields(implicit ? implicit.context(action, context) : context),
      entities: known,
    })
    const mine = shown(found.decision, found.reasons, found.errors)
    const wanted = shown(request.decision, request.reason, request.errors)
    return mine === wanted ? [] : [`${file} request ${index}: found ${mine}, expected ${wanted}`]
  })
  return { requests: requests.length, disagreements }
}

function shown(decision: string, reasons: readonly string[], errors: readonly string[]): string {
  return JSON.stringify([decision, [...reasons].sort(), [...errors].sort()])
}

function unpacked(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-corpus-'))
  for (const name of readdirSync(CORPUS).filter((each) => each.endsWith('.tar.gz'))) {
    execFileSync('tar', ['-xzf', join(CORPUS, name), '-C', folder])
  }
  return folder
}

function main(): number {
  if (!existsSync(CORPUS)) {
    process.stdout.write(`corpus: skipped, there is no ${CORPUS}\n`)
    return 0
  }
  const root = unpacked()
  process.once('exit', () => rmSync(root, { recursive: true, force: true }))
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json') && !name.endsWith('.entities.json'))
    .map((name) => join(root, name))
    .filter((file) => /"requests"\s*:/.test(readFileSync(file, 'utf8')))
  const refused = new Map<string, number>()
  const disagreements: string[] = []
  let [evaluated, requests] = [0, 0]
  for (const file of files) {
    try {
      const outcome = decideCase(root, file)
      evaluated += 1
      requests += outcome.requests
      disagreements.push(...outcome.disagreements)
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error
      const cause = error.message.replace(
        /^\w+ with \d+ operands$/,
        'a call with too many or too few operands',
      )
      refused.set(cause, (refused.get(cause) ?? 0) + 1)
    }
  }
  const share = evaluated / files.length
  process.stdout.write(
    [
      `corpus: ${files.length} cases, ${evaluated} evaluated (${(100 * share).toFixed(1)} %), ${requests} requests, ${disagreements.length} disagreements`,
      ...[...refused].map(([cause, count]) => `  refused, ${cause}: ${count}`),
      ...disagreements.slice(0, 20).map((each) => `  ${each}`),
      '',
    ].join('\n'),
  )
  return disagreements.length === 0 && share >= LEAST ? 0 : 1
}

process.exitCode = main()
