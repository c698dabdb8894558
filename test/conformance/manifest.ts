/** The form in which `manifest/<rfc>.ts` lists what a document demands. `manifest.test.ts` holds the lists against the tests. */

/** One normative demand. Each manifest exports `REQUIREMENTS`, a list of them. */
export type Requirement = {
  /** Its section, and its number where that has several: `§4.3 (9)`. The title of a test of `<rfc>*.test.ts` begins with it. */
  readonly id: string
  /** What is demanded, in short. */
  readonly text: string
  /** Why no test has it: it is not ours to keep. Absent where a test has it. */
  readonly notApplicable?: string
}
