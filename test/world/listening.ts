/** A broker that listens at its issuer, and what clients do with it that know nothing of the test. */

import type { TestContext } from 'node:test'
import { freePorts } from '../../src/cli/ports.ts'
import { command } from '../../src/cli/token.ts'
import { RESOURCE, type TestBroker } from './broker.ts'

/**
 * Starts a broker whose issuer is where it listens.
 * @param start `startBroker`, or another that takes its issuer
 * @param path of the issuer
 */
export async function listening<World extends TestBroker>(
  t: TestContext,
  start: (t: TestContext, options: { readonly issuer: string }) => Promise<World>,
  path = '',
): Promise<World> {
  const [port = 0] = await freePorts(1)
  const world = await start(t, { issuer: `http://127.0.0.1:${port}${path}` })
  await world.app.listen({ host: '127.0.0.1', port })
  return world
}

/** How far the test's clock is ahead of the one that unmodified clients read, seconds. */
export function skewOf({ clock }: TestBroker): number {
  return clock.seconds() - Math.floor(Date.now() / 1000)
}

/** Runs `countersign token` in this process, on the test's clock. */
export async function runToken(world: TestBroker, ...args: readonly string[]) {
  const lines: string[] = []
  const code = await command.run(['--issuer', world.issuer, '--resource', RESOURCE, ...args], {
    out: (line) => lines.push(line),
    note: (line) => lines.push(line),
    stdout: process.stdout,
    stderr: process.stderr,
    env: {},
    colour: false,
    stopped: () => new Promise(() => {}),
    now: () => world.clock.now(),
  })
  return { code, out: lines.join('\n') }
}
