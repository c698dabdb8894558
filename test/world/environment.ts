/** Environment variables of one test: SDKs of clouds find their credentials there. */

import type { TestContext } from 'node:test'

/** Sets them until the test ends; undefined takes one away. */
export function setEnvironment(
  t: TestContext,
  variables: Readonly<Record<string, string | undefined>>,
): void {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
  const set = (name: string, value: string | undefined) => {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  for (const [name, value] of Object.entries(variables)) set(name, value)
  t.after(() => {
    for (const [name, value] of before) set(name, value)
  })
}
