/** Whether a policy keeps to one Namespace: what a team may write for itself. Judged on the head alone. */

import { annotationsOf } from './annotations.ts'
import { openCedar } from './cedar.ts'
import { headOf } from './head.ts'
import type { Problem, SourceFile } from './settings.ts'
import { problemAt, split } from './split.ts'

/**
 * Every policy of the files whose principal is not in the Namespace.
 *
 * @param namespace its id: `<cluster>/<namespace>`
 */
export function strangers(files: readonly SourceFile[], namespace: string): Problem[] {
  const cedar = openCedar()
  return files.flatMap(split).flatMap((piece) => {
    const answer = cedar.policyToJson(piece.text)
    // What does not parse is `policy check`'s to report; here it is no policy of the Namespace.
    const head = answer.type === 'success' ? headOf(answer.json).principal : null
    const entity = head !== null && 'entity' in head ? head.entity : null
    const within =
      entity !== null &&
      ((entity.type === 'Namespace' && entity.id === namespace) ||
        (entity.type === 'ServiceAccount' && entity.id.startsWith(`${namespace}/`)))
    if (within) return []
    const at = piece.tokens.find(
      ({ text }, index) => text === 'principal' && piece.tokens[index - 1]?.text === '(',
    )
    const id = annotationsOf(piece.tokens).find(({ name }) => name === 'id')?.value ?? 'this policy'
    const message = `${id} is not about Namespace::${JSON.stringify(namespace)}: its head must say principal in that Namespace, or == one of its service accounts`
    return [problemAt(piece, at?.start ?? 0, 'error', message)]
  })
}
