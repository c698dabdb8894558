/** What one attribute of a principal is: its type, how far it can be believed, whether it is always known. */

import type { Grade } from '../identity.ts'

/** An attribute of a principal. Its dotted name is the fact's name; a dot makes a record. */
export type Attribute = {
  readonly type: 'String' | 'Long' | 'Bool' | 'Set<String>'
  /** Whether it is always known: in a record, whenever the record is. Records themselves are optional. */
  readonly required: boolean
  readonly grade: Grade
  readonly doc: string
}

/** An attribute that its attestor always proves; without it the evidence is refused. */
export function always(grade: Grade, type: Attribute['type'], doc: string): Attribute {
  return { type, required: true, grade, doc }
}

/** An attribute that may be unknown: then it is absent, and a policy has to ask with `has`. */
export function maybe(grade: Grade, type: Attribute['type'], doc: string): Attribute {
  return { type, required: false, grade, doc }
}
