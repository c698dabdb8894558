/** fmt, schema and render: policies as files and as custom resources. */

import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { openCedar } from '../../src/policy/cedar.ts'
import { createFormatter } from '../../src/policy/format.ts'
import { run } from '../process/cli.ts'
import { scratch } from '../world/scratch.ts'

const CONFIG = 'policies/examples/working-hours/countersign.yaml'
const MESSY =
  '// top\n@id("a")   permit(principal in Cluster::"prod-eu",action,resource)when{// why\n context.requestedTtl<5};// end'

test('fmt: comments survive, twice is once, and --check writes nothing', async (t) => {
  const folder = scratch(t)
  const file = join(folder, 'a.cedar')
  writeFileSync(file, MESSY)
  const checked = await run('policy', 'fmt', folder, '--check')
  assert.deepEqual([checked.code, checked.out], [1, `${file}\n`])
  assert.equal(readFileSync(file, 'utf8'), MESSY)
  assert.equal((await run('policy', 'fmt', folder)).code, 0)
  const text = readFileSync(file, 'utf8')
  assert.match(text, /^\/\/ top\n@id\("a"\)\npermit \([\s\S]*\/\/ why[\s\S]*\/\/ end\n$/)
  assert.deepEqual(await run('policy', 'fmt', folder, '--check'), { code: 0, out: '', err: '' })
})

test('fmt: what does not parse, or would lose its meaning or a comment, is left alone', async (t) => {
  const file = join(scratch(t), 'a.cedar')
  writeFileSync(file, 'permit (')
  const broken = await run('policy', 'fmt', file)
  assert.equal(broken.code, 1)
  assert.match(broken.err, /a\.cedar:1:1: error: left as it is: /)
  assert.equal(readFileSync(file, 'utf8'), 'permit (')

  const cedar = openCedar()
  const lying = (text: string) =>
    createFormatter({
      ...cedar,
      formatPolicies: () => ({ type: 'success', formatted_policy: text }),
    })
  const source = { path: 'a.cedar', text: '// why\npermit (principal, action, resource);\n' }
  assert.deepEqual(lying('// why\nforbid (principal, action, resource);')(source), {
    fault: 'the formatted text would not mean the same',
  })
  assert.deepEqual(lying('permit (principal, action, resource);')(source), {
    fault: 'a comment would be lost',
  })
})

test('schema: what the configuration makes of it, as text that Cedar reads, and as JSON', async () => {
  const { out } = await run('policy', 'schema', '--config', CONFIG)
  assert.match(out, /entity ServiceAccount in \[Namespace, Group\]/)
  assert.match(out, /"Europe\/Berlin": Moment/)
  assert.equal(openCedar().schemaToJson(out).type, 'success')
  assert.ok(
    JSON.parse((await run('policy', 'schema', '--config', CONFIG, '--json')).out)[''].entityTypes
      .ServiceAccount,
  )
})

test('render: the text is kept to the letter, and a Namespace speaks for itself alone', async (t) => {
  const path = 'policies/examples/team-namespaces'
  const all = await run('policy', 'render', path)
  const documents = parseAllDocuments(all.out).map((document) => document.toJS())
  assert.deepEqual(
    documents.map(({ kind, metadata }) => [kind, metadata.name]),
    [
      ['ClusterAccessPolicy', 'guardrail'],
      ['ClusterAccessPolicy', 'payments'],
      ['ClusterAccessPolicy', 'trading'],
    ],
  )
  assert.equal(documents[1].apiVersion, 'countersign.dev/v1alpha1')
  assert.equal(documents[1].spec.cedar, readFileSync(join(path, 'payments.cedar'), 'utf8'))

  const own = await run(
    'policy',
    'render',
    join(path, 'payments.cedar'),
    '--namespace',
    'prod-eu/payments',
    '--json',
  )
  assert.deepEqual(JSON.parse(own.out).items[0].metadata, {
    name: 'payments',
    namespace: 'payments',
  })
  const foreign = await run('policy', 'render', path, '--namespace', 'prod-eu/payments')
  assert.equal(foreign.code, 1)
  assert.equal(foreign.out, '')
  assert.match(
    foreign.err,
    /guardrail\.cedar:6:3: error: ledger-is-posted-by-payments is not about Namespace::"prod-eu\/payments"/,
  )
  assert.match(foreign.err, /trading\.cedar:7:3: error: /)
  assert.equal((await run('policy', 'render', path, '--namespace', 'payments')).code, 2)

  const folder = scratch(t)
  for (const name of ['x', 'y']) {
    mkdirSync(join(folder, name))
    writeFileSync(join(folder, name, 'Same_Name.cedar'), '')
  }
  assert.match((await run('policy', 'render', folder)).err, /would both be named same-name/)
})

test('policy: the overview, and did you mean', async () => {
  assert.match((await run('policy', '--help')).out, /what-if +decide one request otherwise/)
  const wrong = await run('policy', 'tset')
  assert.equal(wrong.code, 2)
  assert.match(wrong.err, /no command 'tset' \(did you mean "test"\?\)/)
  for (const name of ['check', 'test', 'explain', 'what-if', 'replay', 'fmt', 'schema', 'render']) {
    const { code, out } = await run('policy', name, '--help')
    assert.equal(code, 0)
    assert.match(out, new RegExp(`^usage: countersign policy ${name} `))
  }
})
