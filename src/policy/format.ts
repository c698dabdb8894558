/** Policies in their one layout. Meaning and comments stay, or nothing is changed. */

import { type Cedar, openCedar } from './cedar.ts'
import type { SourceFile } from './settings.ts'
import { split } from './split.ts'

/** A file in its layout; or why it is left as it is. */
export type Formatted = { readonly text: string } | { readonly fault: string }

const LINE_WIDTH = 100
const INDENT_WIDTH = 2

/** A formatter over an instance of its own. */
export function createFormatter(cedar: Cedar = openCedar()): (file: SourceFile) => Formatted {
  return (file) => {
    const once = layout(cedar, file.text)
    if ('fault' in once) return once
    const twice = layout(cedar, once.text)
    if (!('text' in twice) || twice.text !== once.text) {
      return { fault: 'the formatter does not settle on one layout' }
    }
    if (meaning(cedar, file) !== meaning(cedar, { ...file, text: once.text })) {
      return { fault: 'the formatted text would not mean the same' }
    }
    if (comments(file.text) !== comments(once.text)) return { fault: 'a comment would be lost' }
    return once
  }
}

function layout(cedar: Cedar, policyText: string): Formatted {
  try {
    const answer = cedar.formatPolicies({
      policyText,
      lineWidth: LINE_WIDTH,
      indentWidth: INDENT_WIDTH,
    })
    if (answer.type === 'failure')
      return { fault: answer.errors.map(({ message }) => message).join('; ') }
    return { text: `${answer.formatted_policy.trim()}\n` }
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) }
  }
}

/** The JSON form of every policy. Places and comments are not in it. */
function meaning(cedar: Cedar, file: SourceFile): string {
  return JSON.stringify(
    split(file).map(({ text }) => {
      const answer = cedar.policyToJson(text)
      return answer.type === 'success' ? answer.json : text
    }),
  )
}

const COMMENT_OR_STRING = /"(?:[^"\\]|\\[\s\S])*"|\/\/([^\n]*)/g

function comments(text: string): string {
  const found = [...text.matchAll(COMMENT_OR_STRING)].map(([, comment]) => comment?.trim())
  return JSON.stringify(found.filter((comment) => comment !== undefined))
}
