/** The table of values in the chart's README: names and meanings from the schema, defaults from values.yaml. */

import type { TSchema } from 'typebox'
import { isTree } from './shape.ts'

/** Between these the README holds the table. */
const BEGIN = '<!-- values: npm run schema -->'
const END = '<!-- end of values -->'

/**
 * The README with its table renewed.
 * @param defaults values.yaml, parsed
 * @throws Error when the README has no place for it
 */
export function withTable(readme: string, schema: TSchema, defaults: unknown): string {
  const [before, rest] = readme.split(BEGIN)
  const after = rest?.split(END)[1]
  if (before === undefined || after === undefined) throw new Error(`no ${BEGIN} … ${END}`)
  const table = ['| value | default | |', '|---|---|---|', ...rows('', schema, defaults)]
  return [before, BEGIN, '\n', table.join('\n'), '\n', END, after].join('')
}

function rows(path: string, schema: TSchema, value: unknown): readonly string[] {
  const { properties, description } = schema as {
    readonly properties?: Readonly<Record<string, TSchema>>
    readonly description?: string
  }
  // What is empty by default is one value, however much may be in it.
  const members = Object.entries(properties ?? {})
  if (members.length > 0 && isTree(value) && Object.keys(value).length > 0) {
    return members
      .filter(([name]) => name in value)
      .flatMap(([name, part]) => rows(path === '' ? name : `${path}.${name}`, part, value[name]))
  }
  const shown = value === undefined ? '' : `\`${JSON.stringify(value)}\``
  return [`| \`${path}\` | ${shown} | ${(description ?? '').replaceAll('|', '\\|')} |`]
}
