/** Evaluates expressions written in Cedar, on a small world. */

import assert from 'node:assert/strict'
import { openCedar } from '../../../src/policy/cedar.ts'
import { compileExpression } from '../../../src/policy/eval/compile.ts'
import type { Request } from '../../../src/policy/eval/entities.ts'
import { EvaluationError } from '../../../src/policy/eval/failure.ts'
import { parsePolicy } from '../../../src/policy/eval/parse.ts'
import { written } from '../../../src/policy/eval/text.ts'
import { Uid } from '../../../src/policy/eval/value.ts'
import { readEntities, readFields } from '../../differential/json.ts'

const CEDAR = openCedar()

/** alice is in red, red in all; bob is known and in nothing; nobody else is known. */
const REQUEST: Request = {
  principal: new Uid('User', 'alice'),
  action: new Uid('Action', 'read'),
  resource: new Uid('Doc', 'unknown'),
  context: readFields({ n: 5, s: 'text', r: { a: { b: 1 } } }),
  entities: readEntities([
    {
      uid: { type: 'User', id: 'alice' },
      attrs: { level: 3, home: { city: 'Köln' } },
      parents: [{ type: 'Team', id: 'red' }],
      tags: { color: 'blue' },
    },
    { uid: { type: 'User', id: 'bob' }, attrs: {}, parents: [] },
    { uid: { type: 'Team', id: 'red' }, attrs: {}, parents: [{ type: 'Org', id: 'all' }] },
  ]),
}

/** What a failed evaluation is in a table. */
export const FAILS = 'fails'

/** The value of an expression as Cedar text, or FAILS. */
export function evaluated(text: string): string {
  const parsed = parsePolicy(CEDAR, `permit (principal, action, resource) when { ${text} };`)
  assert.ok('json' in parsed, text)
  try {
    return written(compileExpression(parsed.json.conditions[0]?.body)(REQUEST))
  } catch (error) {
    if (error instanceof EvaluationError) return FAILS
    throw error
  }
}

/** Checks rows of expression and value. */
export function assertRows(rows: readonly (readonly [text: string, value: string])[]): void {
  for (const [text, value] of rows) assert.equal(evaluated(text), value, text)
}
