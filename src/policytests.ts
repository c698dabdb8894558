/**
 * Policies with their tests: what a start, a reload and `countersign check` load. A set whose tests are red
 * is refused like one that does not parse.
 */

import { setImmediate as turn } from 'node:timers/promises'
import type { Generation } from './policy/generation.ts'
import { type Loader, loader } from './policy/load.ts'
import type { PolicySettings, Problem, SourceFile } from './policy/settings.ts'
import { type PolicyTest, redTests, runTests, type TestResult } from './policy/testing.ts'
import { readTestFile } from './policytests/document.ts'

/** How the files of tests end. They stand beside the policies. */
export const TEST_SUFFIX = '.test.yaml'

/** A set that loads, with what its tests came to; or every problem, red tests among them. */
export type LoadedWithTests =
  | {
      readonly generation: Generation
      readonly warnings: readonly Problem[]
      readonly results: readonly TestResult[]
    }
  | { readonly problems: readonly Problem[]; readonly results: readonly TestResult[] }

/** Policies as `load` takes them, and the files of tests beside them. */
export function apart(files: readonly SourceFile[]): {
  readonly policies: readonly SourceFile[]
  readonly tests: readonly SourceFile[]
} {
  const { tests = [], policies = [] } = Object.groupBy(files, ({ path }) =>
    path.endsWith(TEST_SUFFIX) ? 'tests' : 'policies',
  )
  return { policies, tests }
}

/** How to load policies with their tests. */
export type WithTestsOptions = {
  /** The loader of the set that is reloaded, made for the same settings; a new one by default. */
  readonly keep?: Loader
  /** The instant against which `@expires` is held, epoch seconds. */
  readonly at?: number
}

/**
 * Loads policies and runs their tests.
 *
 * @param files a snapshot of both, from one moment
 */
export async function loadWithTests(
  files: readonly SourceFile[],
  settings: PolicySettings,
  { keep = loader(settings), at }: WithTestsOptions = {},
): Promise<LoadedWithTests> {
  const { policies, tests } = apart(files)
  const loaded = await keep.load(policies, at === undefined ? {} : { at })
  const generation = 'generation' in loaded ? loaded.generation : null
  const read = await readTests(tests, settings, generation)
  const results = generation === null ? [] : await runInTurns(read.tests, generation)
  const found = 'warnings' in loaded ? loaded.warnings : loaded.problems
  const problems = [...found, ...read.problems, ...redTests(results)]
  if (generation === null || problems.some(({ severity }) => severity === 'error')) {
    return { problems, results }
  }
  return { generation, warnings: problems, results }
}

type ReadTests = { readonly tests: readonly PolicyTest[]; readonly problems: readonly Problem[] }

/** Reads files of tests against the policies that they are about. */
export async function readTests(
  files: readonly SourceFile[],
  settings: PolicySettings,
  generation: Generation | null,
): Promise<ReadTests> {
  const policies = generation === null ? null : [...generation.policies.keys()]
  const read: ReadTests[] = []
  for (const file of files) {
    read.push(readTestFile(file, { settings, policies }))
    await turn()
  }
  return {
    tests: read.flatMap(({ tests }) => tests),
    problems: read.flatMap(({ problems }) => problems),
  }
}

/** How many tests run before requests get their turn: a reload must not be felt. */
const AT_ONCE = 20

async function runInTurns(
  tests: readonly PolicyTest[],
  generation: Generation,
): Promise<TestResult[]> {
  const results: TestResult[] = []
  for (let from = 0; from < tests.length; from += AT_ONCE) {
    results.push(...runTests(tests.slice(from, from + AT_ONCE), generation))
    await turn()
  }
  return results
}
