/**
 * `countersign demo`: the whole job as a story, offline. It talks to the broker over HTTP like anybody else, and
 * exits 1 if any step differs from what it says.
 */

import { Writable } from 'node:stream'
import type { Command, Terminal } from './command.ts'
import { fromPackage, IN_HOURS } from './demo/caller.ts'
import { tellSuccess } from './demo/granted.ts'
import { REFUSED, tellRefusal } from './demo/refused.ts'
import { tellStolen } from './demo/stolen.ts'
import { type Page, page } from './page.ts'
import { type Playground, playground } from './playground.ts'
import { freePorts } from './ports.ts'

export const command: Command = {
  usage: 'usage: countersign demo\n\nShows the whole job, offline, and exits.',
  async run(_args, terminal) {
    let now = IN_HOURS
    const started = performance.now()
    const [port = 0, adminPort = 0] = await freePorts(2)
    const silent = () => new Writable({ write: (_chunk, _encoding, done) => done() })
    const ground = await playground({
      policies: 'examples/working-hours',
      pin: 'when-offered',
      port,
      adminPort,
      now: () => now,
      auditStream: silent(),
      logStream: silent(),
    })
    const story = page(terminal)
    try {
      introduce(story, ground)
      await tellSuccess(story, ground, () => now)
      story.chapter(
        '4',
        'What must be refused is refused. The caller hears one sentence; you read why.',
      )
      for (const refused of REFUSED) {
        now = refused.clock
        await tellRefusal(story, ground, refused)
      }
      now = IN_HOURS
      await tellStolen(story, ground, () => now)
    } finally {
      await ground.close()
    }
    return ending(story, terminal, performance.now() - started)
  },
}

function introduce(story: Page, { cluster, running, policiesPath }: Playground): void {
  const { policies } = running.broker.policies.status()
  story.title('Countersign: a pod, its own token, and no secret anywhere')
  story.chapter(
    '1',
    'A cluster signs identities. The broker trusts that cluster and reads policies.',
  )
  story.fact(
    'cluster',
    `prod-eu, keys at ${cluster.issuer} (a stand-in; all else is the real thing)`,
  )
  story.fact('broker', running.publicUrl)
  story.fact('policies', `${policies}, in ${fromPackage(policiesPath)}`)
}

function ending(story: Page, terminal: Terminal, milliseconds: number): 0 | 1 {
  const { held, failed } = story.tally()
  terminal.out('')
  const seconds = (milliseconds / 1000).toFixed(1)
  terminal.out(`${held} of ${held + failed} steps as promised, in ${seconds} s.`)
  terminal.out('Next: countersign dev, then policies/README.md')
  return failed === 0 ? 0 : 1
}
