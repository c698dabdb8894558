/** How a problem in a configuration or a policy is shown to people. */

import type { Problem } from './policy/settings.ts'

/** One problem as editors and CI understand it: `path:line:col: error: text`. */
export function renderProblem({ path, line, column, severity, message }: Problem): string {
  return `${path}:${line}:${column}: ${severity}: ${message}`
}
