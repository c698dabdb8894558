/**
 * `countersign revoke`: takes a token, a party, a trust entry or evidence out of use, in the store that the configuration
 * names. Brokers on the same store see it within a second.
 */

import type { Config } from '../config.ts'
import { AFTERLIFE_SECONDS } from '../keylife.ts'
import { everyRevocation } from '../revocations.ts'
import type { RevocationKind, RevocationRecord, Store } from '../store/store.ts'
import { epochSeconds } from '../units.ts'
import { type Command, type ExitCode, parseOptions, type Terminal, UsageError } from './command.ts'
import { type Asked, targetsOf } from './revoketargets.ts'
import { CONFIG_OPTION, readSettings } from './settings.ts'
import { operatorOf, withStore } from './store.ts'

const KINDS = ['token', 'sub', 'actor', 'trust', 'evidence'] as const

export const command: Command = {
  usage: `usage: countersign revoke --token FILE|ID | --sub URI | --actor URI | --trust NAME | --evidence NAME|ID
                          [--lift] [--reason TEXT] [--config FILE] [--json]
       countersign revoke --list [--config FILE] [--json]

  --token     a file that holds the token, or the id of the decision that issued it. Until the token would have ended
  --sub       no token is issued to this subject, and none of its tokens is good. Until it is lifted
  --actor     the same for whoever acts, also within a delegation
  --trust     the same for whatever a trust entry vouches for, such as kubernetes:prod-eu
  --evidence  the credential behind a decision, by the decision's id; until it ends. Or one name of origin.lineage as
              /decisions/ID shows it, such as pod:prod-eu/…, or a hash of origin.evidence or of a token's lineage;
              until it is lifted
  --lift      tokens are issued again from the next second on. Those from before stay revoked until they end
  --reason    why, for whoever reads it later
  --list      everything that is revoked, or was and still stops older tokens
  --config FILE   the configuration (default countersign.yaml)
  --json          print JSON`,

  async run(args, terminal) {
    const text = { type: 'string' } as const
    const { values } = parseOptions(args, {
      options: {
        ...CONFIG_OPTION,
        ...{ token: text, sub: text, actor: text, trust: text, evidence: text },
        list: { type: 'boolean', default: false },
        lift: { type: 'boolean', default: false },
        reason: { type: 'string', default: '' },
        json: { type: 'boolean', default: false },
      },
    })
    const asked = KINDS.flatMap((kind) => (values[kind] ? [{ kind, value: values[kind] }] : []))
    const [first] = asked
    if (asked.length + (values.list ? 1 : 0) !== 1) {
      throw new UsageError(`choose one of --${KINDS.join(', --')}, --list`)
    }
    if (values.lift && (first === undefined || first.kind === 'token')) {
      throw new UsageError('--lift belongs to --sub, --actor, --trust or --evidence')
    }
    const config = readSettings(values.config, terminal)
    if (config === null) return 1
    return withStore(config, async (store) => {
      if (first === undefined) return list(store, values.json, terminal)
      return values.lift
        ? lift(config, store, first, values, terminal)
        : revoke(config, store, first, values, terminal)
    })
  },
}

type Said = { readonly reason: string; readonly json: boolean }

async function revoke(
  config: Config,
  store: Store,
  asked: Asked,
  { reason, json }: Said,
  terminal: Terminal,
): Promise<ExitCode> {
  const at = epochSeconds(terminal.now())
  const records: RevocationRecord[] = []
  for (const target of await targetsOf(config, store, asked, at)) {
    const by = operatorOf(terminal)
    records.push(await store.revoke({ ...target, at, liftedAt: null, by, reason }))
  }
  if (json) terminal.out(JSON.stringify(records.map(shown)))
  else for (const record of records) terminal.out(`${effect(record)}.`)
  return 0
}

async function lift(
  config: Config,
  store: Store,
  asked: Asked,
  { reason, json }: Said,
  terminal: Terminal,
): Promise<ExitCode> {
  const at = epochSeconds(terminal.now())
  // Nothing that was issued before is good after that.
  const until = at + AFTERLIFE_SECONDS
  const records: RevocationRecord[] = []
  for (const { name, target } of await targetsOf(config, store, asked, at)) {
    const record = await store.lift({ name, at, until, by: operatorOf(terminal), reason })
    if (record === null) terminal.note(`${target} is not revoked`)
    else records.push(record)
  }
  if (json) terminal.out(JSON.stringify(records.map(shown)))
  else for (const record of records) terminal.out(`${effect(record)}.`)
  return records.length === 0 ? 1 : 0
}

async function list(store: Store, json: boolean, terminal: Terminal): Promise<ExitCode> {
  const now = epochSeconds(terminal.now())
  const standing: RevocationRecord[] = []
  for await (const record of everyRevocation(store)) {
    if (record.until === null || record.until >= now) standing.push(record)
  }
  if (json) {
    terminal.out(JSON.stringify(standing.map(shown)))
    return 0
  }
  if (standing.length === 0) terminal.note('Nothing is revoked.')
  for (const record of standing) {
    const { at, by, reason } = shown(record)
    terminal.out(`${effect(record)}; ${at} by ${by}${reason === '' ? '' : `: ${reason}`}`)
  }
  return 0
}

/** What each kind stops while it is in force. */
const STOPS: Readonly<Record<RevocationKind, string>> = {
  token: 'it and all that was delegated from it is good for nothing',
  sub: 'no token is issued to it, and none of its tokens is good',
  actor: 'it gets no token, and none of its tokens is good',
  trust: 'nothing that it vouches for gets a token, and none of the tokens is good',
  evidence: 'no token is issued for it, and none that was is good',
  key: 'it signs nothing, and none of its tokens is good',
}

function effect(record: RevocationRecord): string {
  const { kind, target, name, liftedAt, until } = record
  const about = `${kind} ${target}${target === name ? '' : ` (${name})`}`
  const end = until === null ? 'until it is lifted' : `until ${instant(until)}`
  if (liftedAt === null) return `${about} is revoked ${end}: ${STOPS[kind]}`
  return `${about} was lifted: tokens issued by ${instant(liftedAt)} stay revoked ${end}, later ones are good`
}

function shown({ at, until, liftedAt, ...record }: RevocationRecord) {
  return {
    ...record,
    at: instant(at),
    until: until === null ? null : instant(until),
    liftedAt: liftedAt === null ? null : instant(liftedAt),
  }
}

/** ISO 8601, UTC, in seconds. */
function instant(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
