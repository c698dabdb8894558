/** One `*.test.yaml` as tests: fixtures put in, every problem at its place. */

import { readDocument } from '../config/document.ts'
import { Findings } from '../config/findings.ts'
import type { PolicySettings, Problem, SourceFile } from '../policy/settings.ts'
import type { Expectation, PolicyTest, Verdict } from '../policy/testing.ts'
import { didYouMean } from '../suggest.ts'
import {
  count,
  duration,
  type Field,
  type Fields,
  fieldsOf,
  items,
  mapping,
  text,
  word,
} from './fields.ts'
import { type Asking, REQUEST_WORDS, readRequest } from './request.ts'

const FILE_FIELDS = ['fixtures', 'tests']
const TEST_FIELDS = [
  'name',
  'use',
  'with',
  'request',
  'entities',
  'decision',
  'reason',
  'ttl',
  'num_errors',
]
const VERDICTS = ['allow', 'deny'] as const

/** What tests are read against. */
export type TestWorld = {
  readonly settings: PolicySettings
  /** Ids of the policies that a `reason` may name; null while they are not known. */
  readonly policies: readonly string[] | null
}

/** The tests of a file, or of what could be read of it, and what is wrong with the rest. */
export type ReadTests = {
  readonly tests: readonly PolicyTest[]
  readonly problems: readonly Problem[]
}

/** Reads a file. Never throws for anything in it. */
export function readTestFile(file: SourceFile, world: TestWorld): ReadTests {
  const document = readDocument(file.text, file.path)
  if ('problems' in document) {
    return { tests: [], problems: unquotedInstants(file) ?? document.problems }
  }
  const find = new Findings(file.path, document.locate)
  const fields = fieldsOf({ value: document.value, at: [] }, FILE_FIELDS, find)
  const fixtures = readFixtures(fields.get('fixtures'), find)
  const list = fields.get('tests')
  const misspelt = list === undefined && [...fields.keys()].some((name) => name !== 'fixtures')
  if (!misspelt && !(Array.isArray(list?.value) && list.value.length > 0)) {
    find.error(list?.at ?? [], 'has no tests: write `tests:` and a list')
  }
  const written = list === undefined ? [] : items(list)
  const names = new Set<string>()
  const tests = written.flatMap((field) => {
    const read = readTest(field, fixtures, world, find)
    if (read === null) return []
    if (names.has(read.name))
      find.error([...field.at, 'name'], `is ${JSON.stringify(read.name)}, like an earlier test`)
    names.add(read.name)
    const place = { path: file.path, ...document.locate([...field.at, 'name'], 'value') }
    return { ...read, place }
  })
  return { tests, problems: once(find.problems()) }
}

const IN_BRACES = /[{,]\s*at:\s*(\d{4}-[^'"\s,}]*\[)/

/** The commonest slip, of which YAML says twenty things: an instant with a zone inside `{ }`. */
function unquotedInstants({ path, text }: SourceFile): Problem[] | null {
  const found = text.split('\n').flatMap((source, index): Problem[] => {
    const match = IN_BRACES.exec(source)
    if (match === null) return []
    const column = match.index + match[0].length - (match[1] ?? '').length + 1
    const message = "inside { } an instant needs quotes: { at: '2026-11-19T10:15[Europe/Berlin]' }"
    return [{ path, line: index + 1, column, severity: 'error', message }]
  })
  return found.length > 0 ? found : null
}

function readFixtures(field: Field | undefined, find: Findings): ReadonlyMap<string, Fields> {
  if (field === undefined) return new Map()
  return new Map(
    [...mapping(field, find)].map(([name, fixture]) => [
      name,
      fieldsOf(fixture, REQUEST_WORDS, find),
    ]),
  )
}

function readTest(
  field: Field,
  fixtures: ReadonlyMap<string, Fields>,
  world: TestWorld,
  find: Findings,
): Omit<PolicyTest, 'place'> | null {
  const fields = fieldsOf(field, TEST_FIELDS, find)
  if (fields.size === 0) return null
  const named = fields.get('name')
  if (named === undefined) find.error(field.at, 'has no `name`: say what it shows')
  const name = named === undefined ? null : text(named, find)
  const asking = readAsking(field, fields, fixtures, find)
  const question = asking && readRequest(asking, world.settings, find)
  if (question === null) return null
  const asked = question.scopes.length > 0 ? question.scopes : ['issue']
  const expected = readExpected(field, fields, asked, world, find)
  return name === null || expected === null ? null : { name, question, expected }
}

/**
 * Fixtures from left to right, then what the test itself says; facts are put together one by one. Null
 * without a fixture that is named: all that it would say would be missing.
 */
function readAsking(
  field: Field,
  fields: Fields,
  fixtures: ReadonlyMap<string, Fields>,
  find: Findings,
): Asking | null {
  const [use, changes, request] = ['use', 'with', 'request'].map((name) => fields.get(name))
  if (use === undefined && request === undefined) {
    find.error(field.at, 'has no `request`, and no fixture to `use`')
  }
  if (changes !== undefined && use === undefined) {
    find.error(changes.at, 'changes a fixture: say which one with `use`', 'key')
  }
  if (request !== undefined && use !== undefined) {
    find.error(request.at, 'stands beside `use`: say what differs with `with`', 'key')
  }
  const used =
    use === undefined ? [] : items(use).flatMap((item) => fixtureOf(item, fixtures, find))
  if (use !== undefined && used.length < items(use).length) return null
  const own = [request, changes].flatMap((part) =>
    part === undefined ? [] : fieldsOf(part, REQUEST_WORDS, find),
  )
  const layers = [...used, ...own]
  const stated = layers.flatMap((layer) => {
    const facts = layer.get('facts')
    return facts === undefined ? [] : [...mapping(facts, find)]
  })
  const merged = new Map<string, Field>()
  for (const layer of layers) {
    // `scope` in one layer takes the place of `scopes` in another.
    for (const [one, other] of [
      ['scope', 'scopes'],
      ['scopes', 'scope'],
    ] as const) {
      if (layer.has(one) && !layer.has(other)) merged.delete(other)
    }
    for (const [name, value] of layer) merged.set(name, value)
  }
  const entities = fields.get('entities')
  const more = entities === undefined ? [] : entityFacts(entities, merged.get('principal'), find)
  return { fields: merged, facts: new Map([...more, ...stated]), at: field.at }
}

function fixtureOf(item: Field, fixtures: ReadonlyMap<string, Fields>, find: Findings): Fields[] {
  const name = text(item, find)
  const fixture = name === null ? undefined : fixtures.get(name)
  if (name !== null && fixture === undefined) {
    find.error(
      item.at,
      `is ${JSON.stringify(name)}, not a fixture${didYouMean(name, [...fixtures.keys()])}`,
    )
  }
  return fixture === undefined ? [] : [fixture]
}

/** Cedar's own form of facts: the attributes of the principal's entity. Records become dotted names. */
function entityFacts(
  field: Field,
  principal: Field | undefined,
  find: Findings,
): [string, Field][] {
  return items(field).flatMap((item) => {
    const fields = fieldsOf(item, ['uid', 'attrs'], find)
    const [uid, attrs] = [fields.get('uid'), fields.get('attrs')]
    const { type, id } = { type: '', id: '', ...(uid?.value as object | null) }
    const named = typeof uid?.value === 'string' ? uid.value : `${type}::${JSON.stringify(id)}`
    if (named !== principal?.value) {
      find.error(
        uid?.at ?? item.at,
        'is not the principal: what that is in follows from its id and the configuration',
      )
    }
    return attrs === undefined ? [] : flattened(attrs, '', find)
  })
}

function flattened(field: Field, prefix: string, find: Findings): [string, Field][] {
  return [...mapping(field, find)].flatMap(([name, inner]): [string, Field][] =>
    typeof inner.value === 'object' && inner.value !== null && !Array.isArray(inner.value)
      ? flattened(inner, `${prefix}${name}.`, find)
      : [[`${prefix}${name}`, inner]],
  )
}

function readExpected(
  field: Field,
  fields: Fields,
  asked: readonly string[],
  { policies }: TestWorld,
  find: Findings,
): Expectation | null {
  const [verdict, reason, ttl, errors] = ['decision', 'reason', 'ttl', 'num_errors'].map((name) =>
    fields.get(name),
  )
  if (verdict === undefined) {
    find.error(field.at, 'has no `decision`: write allow or deny')
    return null
  }
  const decision = readVerdict(verdict, asked, find)
  if (decision === null) return null
  return {
    decision,
    reason:
      reason === undefined ? null : items(reason).flatMap((item) => policyId(item, policies, find)),
    ttl: ttl === undefined ? null : ttl.value === 'none' ? 'none' : duration(ttl, find),
    errors: errors === undefined ? 0 : (count(errors, find) ?? 0),
  }
}

function readVerdict(
  field: Field,
  asked: readonly string[],
  find: Findings,
): Expectation['decision'] | null {
  if (typeof field.value !== 'object' || field.value === null) return word(field, VERDICTS, find)
  const verdicts = new Map<string, Verdict>()
  for (const [action, inner] of fieldsOf(field, asked, find)) {
    const verdict = word(inner, VERDICTS, find)
    if (verdict !== null) verdicts.set(action, verdict)
  }
  const silent = asked.filter((action) => !verdicts.has(action))
  if (silent.length > 0) find.error(field.at, `says nothing of ${silent.join(', ')}`, 'key')
  return verdicts
}

function policyId(item: Field, policies: readonly string[] | null, find: Findings): string[] {
  const id = text(item, find)
  if (id === null) return []
  if (policies !== null && !policies.includes(id)) {
    find.error(
      item.at,
      `is ${JSON.stringify(id)}, not the @id of a policy${didYouMean(id, policies)}`,
    )
  }
  return [id]
}

/** A fault in a fixture is met by every test that uses it. */
function once(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()]
}
