/** The server's side of `child.ts`: says where it listens, tells its CPU time, and ends when the bench does. */

/** Base URLs of the listeners. */
export type Ready = { readonly url: string; readonly adminUrl: string | null }

/** What a server says to the bench. */
export type Message =
  | ({ readonly kind: 'ready' } & Ready)
  | { readonly kind: 'cpu'; readonly micros: number }

/**
 * Runs a server in this process until the bench lets go of it.
 * @param start gets the settings that the bench passed on
 */
export async function serve<Settings>(
  start: (settings: Settings) => Promise<Ready>,
): Promise<void> {
  // Fires also when the bench was killed: no server is left behind.
  process.on('disconnect', () => process.exit(0))
  if (!process.connected) process.exit(0)
  // Ctrl-C reaches the whole group; the bench then ends its servers itself.
  process.on('SIGINT', () => undefined)
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    say({ kind: 'cpu', micros: user + system })
  })
  const settings = JSON.parse(process.argv[2] ?? '{}') as Settings
  say({ kind: 'ready', ...(await start(settings)) })
}

function say(message: Message): void {
  process.send?.(message)
}
