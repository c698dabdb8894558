/**
 * `countersign demo`: the whole job as a story, offline. It talks to the broker over HTTP like anybody else, and
 * exits 1 if any step differs from what it says.
 */

import { Writable } from 'node:stream'
import type { Command, Terminal } from './command.ts'
import { fromPackage, IN_HOURS } from './demo/caller.ts'
import { tellChain } from './demo/chain.ts'
import { tellSuccess } from './demo/granted.ts'
import { people } from './demo/people.ts'
import { REFUSED, tellRefusal } from './demo/refused.ts'
import { tellReturned } from './demo/returned.ts'
import { tellStolen } from './demo/stolen.ts'
import { type Page, page } from './page.ts'
import { type Playground, type PlaygroundOptions, playground } from './playground.ts'
import { freePorts } from './ports.ts'

export const command: Command = {
  usage: 'usage: countersign demo\n\nShows the whole job, offline, and exits.',
  async run(_args, terminal) {
    const started = performance.now()
    const story = page(terminal)
    await firstAct(story)
    await secondAct(story)
    return ending(story, terminal, performance.now() - started)
  },
}

/** One workload, and what is its own. */
async function firstAct(story: Page): Promise<void> {
  let now = IN_HOURS
  const ground = await stage({
    policies: 'examples/working-hours',
    pin: 'when-offered',
    now: () => now,
  })
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
    await tellReturned(story, ground, () => now)
  } finally {
    await ground.close()
  }
}

/** People, and agents that act for them. */
async function secondAct(story: Page): Promise<void> {
  const corp = people()
  const ground = await stage({
    policies: 'examples/agents-for-groups',
    sections: corp.sections,
    now: () => IN_HOURS,
  })
  try {
    story.chapter('Second act', 'A person, her agent, and its helper.')
    await tellChain(story, ground, corp, IN_HOURS)
  } finally {
    await ground.close()
  }
}

/** A broker that writes to nobody. */
async function stage(
  set: Pick<PlaygroundOptions, 'policies' | 'pin' | 'sections' | 'now'>,
): Promise<Playground> {
  const [port = 0, adminPort = 0] = await freePorts(2)
  const silent = () => new Writable({ write: (_chunk, _encoding, done) => done() })
  return playground({ ...set, port, adminPort, auditStream: silent(), logStream: silent() })
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
