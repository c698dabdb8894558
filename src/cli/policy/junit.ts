/** Test results as JUnit XML, which every CI system shows. */

import type { Problem } from '../../policy/settings.ts'
import type { TestResult } from '../../policy/testing.ts'

/** One line of a report. `failure` is null when all is well. */
type Case = {
  readonly path: string
  readonly line: number
  readonly name: string
  readonly failure: string | null
  readonly detail: string
}

/**
 * The whole document. One suite a file; `line` on each case, for annotations in a pull request.
 *
 * @param problems errors in policies or tests fail too: else a set that does not load would look untested
 */
export function junit(
  results: readonly TestResult[],
  problems: readonly Problem[],
  seconds: number,
): string {
  const cases = [
    ...problems.filter(({ severity }) => severity === 'error').map(mistake),
    ...results.map(tested),
  ]
  const suites = Map.groupBy(cases, ({ path }) => path)
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="countersign policy test" ${counts(cases)} time="${seconds.toFixed(3)}">`,
    ...[...suites].flatMap(([path, members]) => [
      `  <testsuite name="${escapeXml(path)}" ${counts(members)}>`,
      ...members.flatMap(testcase),
      '  </testsuite>',
    ]),
    '</testsuites>',
    '',
  ].join('\n')
}

function tested({ test, failures, lines }: TestResult): Case {
  const failure = failures.length > 0 ? failures.join('; ') : null
  return { ...test.place, name: test.name, failure, detail: lines.join('\n') }
}

function mistake({ path, line, message }: Problem): Case {
  return { path, line, name: 'loads', failure: message, detail: `${path}:${line}: ${message}` }
}

function counts(cases: readonly Case[]): string {
  const failed = cases.filter(({ failure }) => failure !== null).length
  return `tests="${cases.length}" failures="${failed}"`
}

function testcase({ path, line, name, failure, detail }: Case): string[] {
  const file = escapeXml(path)
  const open = `    <testcase classname="${file}" name="${escapeXml(name)}" file="${file}" line="${line}"`
  if (failure === null) return [`${open}/>`]
  return [
    `${open}>`,
    `      <failure message="${escapeXml(failure)}">${escapeXml(detail)}</failure>`,
    '    </testcase>',
  ]
}

/** Characters that XML 1.0 cannot hold are dropped; they may stand in a name. */
function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '')
    .replace(
      /[&<>"]/g,
      (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[char] ?? char,
    )
}
