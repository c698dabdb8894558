/** The pages of the kinds: their samples load, and they leave nothing out. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { KINDS } from '../../attestors/index.ts'
import { loadConfig } from '../../src/config.ts'
import { PRINCIPALS } from '../../src/policy/principals.ts'

const ROOT = join(import.meta.dirname, '../../attestors')

const PAGES = [
  ['aws', 'AwsRole'],
  ['azure', 'AzureIdentity'],
  ['gcp', 'GcpServiceAccount'],
  ['spiffe', 'SpiffeWorkload'],
] as const

suite('pages of attestors', () => {
  for (const [kind, type] of PAGES) {
    const page = readFileSync(join(ROOT, kind, 'README.md'), 'utf8')
    // `.zone` after `instance.name` stands for `instance.zone`.
    const named = new Set([...page.matchAll(/`([^`\n]+)`/g)].map(([, name = '']) => name))

    test(`the sample of ${kind} is a configuration`, () => {
      const [, sample = ''] = /```yaml\n(trust:\n[\s\S]*?)```/.exec(page) ?? []
      const rest = `issuer: https://countersign.example.com
resources: [{ audience: https://mcp.example.com }]
policies: { path: policies }
`
      const outside = { path: 'c.yaml', env: {}, baseDir: '/', readFile: () => assert.fail() }
      const loaded = loadConfig(rest + sample, outside)
      assert.ok('config' in loaded, JSON.stringify(loaded))
      assert.deepEqual(
        loaded.config.trust.map((entry) => entry.kind),
        [kind],
      )
    })

    test(`the page of ${kind} names every option`, () => {
      const { schema } = KINDS.find((row) => row.kind === kind) ?? assert.fail()
      const options = Object.keys((schema as { properties?: object }).properties ?? {})
      assert.notDeepEqual(options, [])
      assert.deepEqual(
        options.filter((option) => !named.has(option)),
        [],
      )
    })

    test(`the page of ${kind} names every fact`, () => {
      const facts = Object.keys(PRINCIPALS[type]?.attributes ?? {})
      const isNamed = (fact: string) => named.has(fact) || named.has(fact.replace(/^\w+/, ''))
      assert.deepEqual(
        facts.filter((fact) => !isNamed(fact)),
        [],
      )
    })
  }
})
