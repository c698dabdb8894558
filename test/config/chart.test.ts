/** What the chart and the image say about the rest of the repository, without helm and without a cluster. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parse } from 'yaml'
import { withTable } from '../../src/config/valuestable.ts'
import { pairs, productionPackages, readRecipe } from '../chart/image.ts'
import { startBroker } from '../world/broker.ts'

const ROOT = join(import.meta.dirname, '../..')
const CHART = 'charts/countersign'
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

/** Every metric that a broker exposes, with the suffixes that the exposition format gives it. */
async function metrics(t: TestContext): Promise<ReadonlySet<string>> {
  const { broker } = await startBroker(t)
  const { text } = await broker.meter.expose()
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)]
  return new Set(
    types.flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  )
}

/** The metrics that a PromQL expression reads. */
function metricsIn(expression: string): readonly string[] {
  return expression.match(/\b(?:countersign|nodejs|process)_[a-z0-9_]+/g) ?? []
}

test('alerts and the dashboard are built on metrics that there are', async (t) => {
  const { groups } = parse(read(`${CHART}/files/alerts.yaml`))
  const alerts: string[] = groups.flatMap(({ rules }: { rules: { expr: string }[] }) =>
    rules.map(({ expr }) => expr),
  )
  const { panels, templating } = JSON.parse(read(`${CHART}/files/dashboard.json`))
  const shown: string[] = panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
    targets.map(({ expr }) => expr),
  )
  const known = await metrics(t)
  assert.ok(
    known.has('countersign_stage_seconds_bucket') && !known.has('countersign_stage_seconds'),
  )
  for (const expression of [...alerts, ...shown, templating.list[1].query]) {
    const used = metricsIn(expression)
    assert.ok(used.length > 0, expression)
    for (const name of used) assert.ok(known.has(name), `${name} in ${expression}`)
  }
})

test('every alert has a severity, a sentence and what to do', () => {
  const { groups } = parse(read(`${CHART}/files/alerts.yaml`))
  for (const { alert, labels, annotations } of groups[0].rules) {
    assert.match(labels.severity, /^(warning|critical)$/, alert)
    assert.match(annotations.summary, /\.$/, alert)
    assert.match(annotations.description, /\.$/, alert)
  }
})

test('the chart ships the starter policies of the repository, and its version', () => {
  assert.equal(read(`${CHART}/files/deny-all.cedar`), read('policies/starter/deny-all.cedar'))
  const { version } = JSON.parse(read('package.json'))
  assert.equal(parse(read(`${CHART}/Chart.yaml`)).appVersion, version)
})

test('values.yaml has a default for every value of the schema, and no other', () => {
  const { properties } = JSON.parse(read(`${CHART}/values.schema.json`))
  const compare = (
    schema: Record<string, { properties?: object }>,
    values: object,
    path: string,
  ) => {
    for (const name of Object.keys(values))
      assert.ok(name in schema, `${path}${name} is not in the schema`)
    for (const [name, part] of Object.entries(schema)) {
      const value = (values as Record<string, unknown>)[name]
      if (path === '' && name === 'global') continue
      // Handed to Kubernetes as they are.
      if (/resources\.$/.test(path)) continue
      assert.ok(value !== undefined, `${path}${name} has no default`)
      const isOpen = typeof value !== 'object' || value === null || Object.keys(value).length === 0
      if (!isOpen && Object.keys(part.properties ?? {}).length > 0) {
        compare(part.properties as typeof schema, value, `${path}${name}.`)
      }
    }
  }
  compare(properties, parse(read(`${CHART}/values.yaml`)), '')
})

test('the README explains every value', () => {
  const rows = read(`${CHART}/README.md`).match(/^\| `.*$/gm) ?? []
  assert.ok(rows.length > 70)
  for (const row of rows) assert.match(row, /^\| `[\w.]+` \| `.+` \| \S.+ \|$/)
  assert.throws(() => withTable('no place', {}, {}), /no <!-- values/)
})

test('the assembled image has what the Dockerfile copies, where it copies it', () => {
  const recipe = readRecipe()
  const targets = pairs(recipe, '/dist').map((pair) => pair.slice(pair.lastIndexOf(':') + 1))
  assert.deepEqual(
    recipe.copies.map(({ target }) => target),
    [
      '/usr/local/bin/node',
      '/app/node_modules',
      '/app/dist',
      '/app/package.json',
      '/app/policies/starter',
    ],
  )
  for (const target of ['/app/dist', '/app/package.json', '/app/policies/starter']) {
    assert.ok(targets.includes(target), target)
  }
  const { dependencies } = JSON.parse(read('package.json'))
  for (const name of Object.keys(dependencies)) {
    assert.ok(targets.includes(`/app/node_modules/${name}`), name)
  }
  for (const name of ['typescript', 'c8', 'node']) {
    assert.ok(!productionPackages().includes(`node_modules/${name}`), name)
  }
})

test('the image runs as a number, starts the CLI, and its builder gets no more than it copies', () => {
  const { user, entrypoint, command } = readRecipe()
  assert.match(user, /^[1-9]\d*:[1-9]\d*$/)
  assert.deepEqual(entrypoint, ['node', '/app/dist/src/cli.js'])
  assert.equal(command[0], 'serve')
  const dockerfile = read('Dockerfile')
  const sent = new Set(read('.dockerignore').match(/(?<=^!).+$/gm))
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) =>
    names.split(' '),
  )
  assert.deepEqual(new Set(copied), sent)
  assert.doesNotMatch(dockerfile, /^ARG \w+_BASE=/m, 'a base without a digest')
  assert.throws(
    () => pairs(readRecipe('FROM x\nCOPY --from=build /etc /etc\n'), '/dist'),
    /no counterpart/,
  )
})
