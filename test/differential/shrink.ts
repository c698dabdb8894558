/** Cuts a policy on which the engines differ down to what they differ about. */

import { type Answer, type Case, official, ours, parsed, type Sample, sourceOf } from './cases.ts'
import type { Node } from './grammar.ts'

type Input = Case['requests'][number]

/** The least policy found on which the engines still differ, as text with both answers. */
export function counterExample(samples: readonly Sample[], input: Input): string {
  const found = samples.find((sample) => differ(sample, sample.body, input))
  if (!found) return 'only the set as a whole differs'
  let body = found.body
  for (let smaller = step(found, body, input); smaller; smaller = step(found, body, input))
    body = smaller
  const { mine, theirs } = both(found, body, input) ?? { mine: null, theirs: null }
  return [
    sourceOf(found, body),
    `  ours:     ${JSON.stringify(mine)}`,
    `  official: ${JSON.stringify(theirs)}`,
    `  request:  ${JSON.stringify(input.json)}`,
  ].join('\n')
}

/** A smaller body on which the engines differ: an operand in the place of what it belongs to. */
function step(sample: Sample, body: Node, input: Input): Node | null {
  return smaller(body).find((each) => differ(sample, each, input)) ?? null
}

function smaller(node: Node): Node[] {
  return [
    ...node.operands,
    ...node.operands.flatMap((operand, index) =>
      smaller(operand).map((other) => ({ ...node, operands: node.operands.with(index, other) })),
    ),
  ]
}

function differ(sample: Sample, body: Node, input: Input): boolean {
  const answers = both(sample, body, input)
  return answers !== null && JSON.stringify(answers.mine) !== JSON.stringify(answers.theirs)
}

function both(sample: Sample, body: Node, input: Input): { mine: Answer; theirs: Answer } | null {
  const text = sourceOf(sample, body)
  const json = parsed(text)
  const [theirs] = json ? official(new Map([[sample.id, text]]), [input.json]) : []
  return json && theirs ? { mine: ours([{ ...sample, json }])(input.ours), theirs } : null
}
