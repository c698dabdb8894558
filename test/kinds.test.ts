/** Every kind in one broker: it starts, doctor has a line for each entry, and each kind gets a token over HTTP. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { decodeJwt } from 'jose'
import { KINDS } from '../attestors/index.ts'
import { PRESETS } from '../attestors/oidc/presets/index.ts'
import type { Terminal } from '../src/cli/command.ts'
import type { Finding } from '../src/cli/doctor/finding.ts'
import { command } from '../src/cli/doctor.ts'
import { startAllKinds } from './world/allkinds.ts'
import { emptyTerminal } from './world/terminal.ts'

type World = Awaited<ReturnType<typeof startAllKinds>>

/** What doctor finds, asked beside the broker. */
async function doctor(world: World, ...args: readonly string[]): Promise<readonly Finding[]> {
  const lines: string[] = []
  const terminal: Terminal = {
    ...emptyTerminal(),
    out: (line) => void lines.push(line),
    now: world.clock.now,
  }
  await command.run(['--config', world.configFile(), '--json', ...args], terminal)
  return JSON.parse(lines.join(''))
}

const aboutOf = (findings: readonly Finding[], about: string) =>
  findings.filter((finding) => finding.about === about)

/** Every kind there is, and every preset. */
function trustsEverything({ trust, broker }: World): void {
  const kinds = new Set(trust.flatMap((entry) => Object.keys(entry)))
  assert.deepEqual([...kinds].sort(), KINDS.map(({ kind }) => kind).sort())
  const trusted = broker.attestors()
  assert.equal(trusted.length, kinds.size + Object.keys(PRESETS).length)
  assert.deepEqual(
    trusted.filter(({ ready }) => !ready),
    [],
  )
}

suite('a broker of all kinds', () => {
  test('trusts each, issues a token for each, then says when each last vouched', async (t) => {
    const world = await startAllKinds(t)
    trustsEverything(world)
    const subjects = new Set<unknown>()
    for (const [kind, show] of world.shows) {
      const { status, body } = await world.ask(await show())
      const event = world.events().at(-1)
      assert.equal(status, 200, `${kind}: ${event?.reason} ${JSON.stringify(event?.detail)}`)
      const { sub, scope } = decodeJwt(String(body['access_token']))
      assert.equal(scope, 'trades:read', kind)
      subjects.add(sub)
      if (kind === 'aws: nitro') {
        assert.equal(event?.question?.actor.facts['nitro.measured']?.value, true)
      }
    }
    // The role has the same name by token, by relay and beside a document.
    assert.equal(subjects.size, world.shows.size - 2, [...subjects].join('\n'))

    world.clock.advance(180)
    const findings = await doctor(world, '--admin', world.adminUrl)
    for (const { trust } of world.broker.attestors()) {
      const [line, ...others] = aboutOf(findings, `trust ${trust}`)
      assert.equal(others.length, 0, trust)
      assert.equal(line?.state, 'ok', `${trust}: ${line?.text}`)
      const vouched =
        trust === 'oidc:azure-attestation' ? 'has not vouched' : 'last vouched 3 min ago'
      assert.match(line?.text ?? '', /^\d+ keys read \d+ s ago; tokens need aud \S+/)
      assert.ok(line?.text.includes(vouched), line?.text)
    }
    const [relay] = aboutOf(findings, 'relay aws-caller-identity')
    assert.equal(relay?.text, 'last answered 3 min ago')
  })

  test('doctor says so where no broker runs, and still has a line for each entry', async (t) => {
    const world = await startAllKinds(t)
    const nobody = 'http://127.0.0.1:1'
    const findings = await doctor(world, '--admin', nobody)
    const [running] = aboutOf(findings, `running broker ${nobody}`)
    assert.match(running?.text ?? '', /^cannot be asked: /)
    for (const { trust } of world.broker.attestors()) {
      const [line] = aboutOf(findings, `trust ${trust}`)
      assert.equal(line?.state, 'ok', `${trust}: ${line?.text}`)
      assert.doesNotMatch(line?.text ?? '', /vouched/)
    }
  })

  test('doctor tells a region whose STS fails, and since when', async (t) => {
    const world = await startAllKinds(t)
    const show = world.shows.get('aws: relay') ?? assert.fail()
    if (world.sts !== undefined) world.sts.fault = 'error'
    for (let n = 0; n < 6; n += 1) assert.equal((await world.ask(await show())).status, 503)
    assert.match(String(world.events().at(-1)?.detail?.['problem']), /left alone for a while/)
    world.clock.advance(5)
    const findings = await doctor(world, '--admin', world.adminUrl)
    const [relay] = aboutOf(findings, 'relay aws-caller-identity, eu-central-1')
    assert.equal(relay?.state, 'warning')
    assert.equal(relay?.text, 'eu-central-1 last failed 5 s ago; never answered')
  })
})
