/** `countersign serve`: the broker, until it is told to stop. */

import { type Command, parseOptions } from './command.ts'
import { run } from './run.ts'
import { CONFIG_OPTION, readSettings } from './settings.ts'

export const command: Command = {
  usage: `usage: countersign serve [--config FILE]

  --config FILE   the configuration (default countersign.yaml)

Audit events go to standard output unless audit.file is set; the log goes to standard error.
SIGTERM drains: /readyz says no and requests are served on for listen.linger; then those under way are answered, for
20 seconds at most, and no new ones are taken. A second signal ends the process at once.`,

  async run(args, terminal) {
    const { values } = parseOptions(args, { options: CONFIG_OPTION })
    const config = readSettings(values.config, terminal)
    if (config === null) return 1
    const stopped = terminal.stopped()
    const running = await run(config, {
      now: terminal.now,
      auditStream: terminal.stdout,
      logStream: terminal.stderr,
    })
    terminal.note(
      `countersign serves ${config.issuer} on ${running.publicUrl}, admin on ${running.adminUrl}`,
    )
    await stopped
    await running.close()
    return 0
  },
}
