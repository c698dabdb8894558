/** `countersign policy test`: do the policies do what was meant, and would anybody notice if they stopped? */

import { writeFileSync } from 'node:fs'
import { load } from '../../policy/load.ts'
import type { Problem } from '../../policy/settings.ts'
import { coverage, type PolicyCoverage } from '../../policy/testing/coverage.ts'
import { runTests, type TestResult } from '../../policy/testing.ts'
import { apart, readTests } from '../../policytests.ts'
import { renderProblem } from '../../problem.ts'
import { type Command, parseOptions, type Terminal } from '../command.ts'
import { junit } from './junit.ts'
import { CONFIG_USAGE, openSite, POLICY_OPTIONS, readFiles } from './sources.ts'
import { painter, plural, table } from './table.ts'

export const command: Command = {
  usage: `usage: countersign policy test [PATH] [--config FILE] [--junit FILE] [--json] [--quiet]

  PATH                a folder with *.cedar and *.test.yaml (default: policies.path)
${CONFIG_USAGE}
  --junit FILE        also write the results as JUnit XML
  --quiet             print failures and the last line only
  --json              print results and coverage as JSON

Exit code 1 when a test is red, a test file has a mistake, or the policies do not load.`,

  async run(args, terminal) {
    const { values, positionals } = parseOptions(args, {
      options: {
        ...POLICY_OPTIONS,
        junit: { type: 'string' },
        quiet: { type: 'boolean', default: false },
      },
      allowPositionals: true,
    })
    const { path, settings } = openSite(values, positionals[0], terminal)
    const started = performance.now()
    const files = apart(await readFiles(path))
    const loaded = await load(files.policies, settings)
    const generation = 'generation' in loaded ? loaded.generation : null
    const read = await readTests(files.tests, settings, generation)
    const results = generation === null ? [] : runTests(read.tests, generation)
    const problems = [...('problems' in loaded ? loaded.problems : []), ...read.problems]
    const seconds = (performance.now() - started) / 1000
    const covered = generation === null ? [] : await coverage(results, generation)
    if (values.junit !== undefined) writeFileSync(values.junit, junit(results, problems, seconds))
    if (values.json) terminal.out(JSON.stringify(asJson(results, covered, problems)))
    else
      print({ results, covered, problems, path, seconds, quiet: values.quiet === true }, terminal)
    const red = results.some(({ failures }) => failures.length > 0)
    return red || problems.some(({ severity }) => severity === 'error') ? 1 : 0
  },
}

type Report = {
  readonly results: readonly TestResult[]
  readonly covered: readonly PolicyCoverage[]
  readonly problems: readonly Problem[]
  readonly path: string
  readonly seconds: number
  readonly quiet: boolean
}

function asJson(
  results: readonly TestResult[],
  covered: readonly PolicyCoverage[],
  problems: readonly Problem[],
): object {
  return {
    tests: results.map(({ test, decision, failures, lines }) => ({
      name: test.name,
      ...test.place,
      passed: failures.length === 0,
      failures,
      rulings: decision.rulings,
      ttl: decision.ttl,
      lines,
    })),
    coverage: covered,
    problems,
  }
}

function print(report: Report, terminal: Terminal): void {
  const paint = painter(terminal)
  for (const problem of report.problems) terminal.out(renderProblem(problem))
  for (const [file, members] of Map.groupBy(report.results, ({ test }) => test.place.path)) {
    const shown = members.filter(({ failures }) => failures.length > 0 || !report.quiet)
    if (shown.length === 0) continue
    terminal.out(paint('bold', file))
    for (const result of shown) printResult(result, terminal)
    terminal.out('')
  }
  if (!report.quiet) printCoverage(report.covered, terminal)
  terminal.out(summary(report))
}

function printResult({ test, failures, lines }: TestResult, terminal: Terminal): void {
  const paint = painter(terminal)
  if (failures.length === 0) {
    terminal.out(`  ${paint('green', '✓')} ${test.name}`)
    return
  }
  terminal.out(`  ${paint('red', '✗')} ${test.name}  ${paint('dim', `line ${test.place.line}`)}`)
  for (const failure of failures) terminal.out(`      ${paint('red', failure)}`)
  for (const line of lines) terminal.out(`      ${line}`)
}

function printCoverage(covered: readonly PolicyCoverage[], terminal: Terminal): void {
  if (covered.length === 0) return
  const paint = painter(terminal)
  terminal.out(paint('bold', 'coverage'))
  const rows = covered.map(({ policy, effect, applied, conditions }) => {
    const full = conditions.filter((each) => each.seenTrue && each.seenFalse).length
    const parts =
      conditions.length === 0 ? 'no conditions' : `${full} of ${conditions.length} conditions`
    return [effect, policy, applied === 0 ? 'NO TEST' : `applied ${applied} ×`, parts]
  })
  const lines = table(rows, { indent: 2 })
  for (const [index, { path, conditions }] of covered.entries()) {
    terminal.out(lines[index] ?? '')
    for (const { text, line, column, seenTrue, seenFalse } of conditions) {
      if (seenTrue && seenFalse) continue
      const never = seenTrue ? 'never false' : seenFalse ? 'never true' : 'never reached'
      terminal.out(
        `      ${paint('yellow', never)}: ${text}  ${paint('dim', `${path}:${line}:${column}`)}`,
      )
    }
  }
  terminal.out('')
}

function summary({ results, covered, problems, path, seconds }: Report): string {
  const red = results.filter(({ failures }) => failures.length > 0).length
  const conditions = covered.flatMap((policy) => policy.conditions)
  const full = conditions.filter((each) => each.seenTrue && each.seenFalse).length
  const tested = covered.filter(({ applied }) => applied > 0).length
  const errors = problems.filter(({ severity }) => severity === 'error').length
  const what = [
    `${plural(results.length - red, 'test')} passed`,
    ...(red > 0 ? [`${red} FAILED`] : []),
    ...(errors > 0 ? [plural(errors, 'mistake')] : []),
    `${tested} of ${covered.length} policies tested`,
    `${full} of ${conditions.length} conditions seen both ways`,
  ]
  return `${path}: ${what.join(', ')} (${seconds.toFixed(1)} s)`
}
