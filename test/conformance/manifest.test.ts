/**
 * Every demand in `manifest/<rfc>.ts` has a test in `<rfc>*.test.ts` whose title begins with its id, or says why it does
 * not apply; and no test there claims a demand that is not listed.
 */

import assert from 'node:assert/strict'
import { globSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import type { Requirement } from './manifest.ts'

const FOLDER = join(import.meta.dirname, 'manifest')

/** A title, or the part of a table from which it is made, begins with a section. */
const CITED = /['"`](§[0-9]+(?:\.[0-9]+)*(?: \([0-9]+\))?)/g

for (const file of readdirSync(FOLDER)) {
  const document = basename(file, '.ts')
  test(`${document}: every demand is tested, or does not apply for a reason`, async (t) => {
    const { REQUIREMENTS } = (await import(join(FOLDER, file))) as {
      readonly REQUIREMENTS: readonly Requirement[]
    }
    const tests = globSync(`${document}*.test.ts`, { cwd: import.meta.dirname })
    const text = tests.map((name) => readFileSync(join(import.meta.dirname, name), 'utf8')).join('')
    const cited = new Set([...text.matchAll(CITED)].map(([, id = '']) => id))
    const ids = REQUIREMENTS.map(({ id }) => id)
    assert.deepEqual([...new Set(ids)], ids, 'no id twice')
    const tested = REQUIREMENTS.filter(({ notApplicable }) => notApplicable === undefined)
    assert.deepEqual(
      tested.filter(({ id }) => !cited.has(id)).map(({ id }) => id),
      [],
      'without a test',
    )
    assert.deepEqual(
      [...cited].filter((id) => !tested.some((each) => each.id === id)),
      [],
      'tested, but not listed',
    )
    for (const { id, text: demand, notApplicable } of REQUIREMENTS) {
      if (notApplicable !== undefined) t.diagnostic(`${id} ${demand}: ${notApplicable}`)
    }
  })
}
