/** A terminal that nobody reads. */

import { Writable } from 'node:stream'
import type { Terminal } from '../../src/cli/command.ts'

export function emptyTerminal(): Terminal {
  const nowhere = () => new Writable({ write: (_chunk, _encoding, done) => done() })
  return {
    out() {},
    note() {},
    stdout: nowhere(),
    stderr: nowhere(),
    env: {},
    colour: false,
    stopped: () => new Promise(() => {}),
    now: () => 0,
  }
}
