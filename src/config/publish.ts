/**
 * Writes what is generated (`npm run schema`): `src/config.schema.json`, the Helm chart's `values.schema.json` and the
 * table of values in its README. With `--check`, fails when one of them is stale.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { TSchema } from 'typebox'
import { parse } from 'yaml'
import { KINDS } from '../../attestors/index.ts'
import { valuesSchema } from './chart.ts'
import { settingsSchema } from './schema.ts'
import { withTable } from './valuestable.ts'

const ROOT = new URL('../../', import.meta.url)
const CHART = 'charts/countersign'

/** A generated file of the repository: where it is, and what it must say. */
export type Published = { readonly file: string; readonly text: string }

/** What is published, for all kinds of trust entry. */
export function published(): readonly Published[] {
  const settings = settingsSchema(KINDS)
  const values = valuesSchema(settings)
  const defaults = parse(read(`${CHART}/values.yaml`))
  const readme = `${CHART}/README.md`
  return [
    { file: pathTo('src/config.schema.json'), text: document(settings) },
    { file: pathTo(`${CHART}/values.schema.json`), text: document(values) },
    { file: pathTo(readme), text: withTable(read(readme), values, defaults) },
  ]
}

function pathTo(name: string): string {
  return fileURLToPath(new URL(name, ROOT))
}

function read(name: string): string {
  return readFileSync(pathTo(name), 'utf8')
}

function document(schema: TSchema): string {
  const whole = { $schema: 'https://json-schema.org/draft/2020-12/schema', ...schema }
  return `${JSON.stringify(whole, null, 2)}\n`
}

if (import.meta.main) {
  const isCheck = process.argv.includes('--check')
  for (const { file, text } of published()) {
    if (!isCheck) writeFileSync(file, text)
    else if (readFileSync(file, 'utf8') !== text) {
      process.stderr.write(`${file} is stale: npm run schema\n`)
      process.exitCode = 1
    }
  }
}
