/**
 * `countersign.yaml` → Config: schema, then meaning, every problem at once with its place. The server and
 * `countersign check` start here. Reads nothing but what it is handed; never the process's environment.
 */

import { KINDS } from '../attestors/index.ts'
import type { UsersSettings } from '../attestors/users/index.ts'
import { readDocument } from './config/document.ts'
import { Findings } from './config/findings.ts'
import { type ChainingConfig, readChaining, readTransactions } from './config/partners.ts'
import { resolvePaths } from './config/paths.ts'
import { type PoliciesConfig, readPolicies } from './config/policies.ts'
import { type ResourceConfig, readResources } from './config/resources.ts'
import { type RawSettings, settingsSchema } from './config/schema.ts'
import { type Outside, refuseReferences } from './config/secrets.ts'
import { readServer, type ServerConfig } from './config/server.ts'
import { examine, isTree } from './config/shape.ts'
import { readTrust, type TrustConfig } from './config/trust.ts'
import { type DelegationConfig, readDelegation, readUsers } from './config/users.ts'
import { checkServers } from './config/workloads.ts'
import type { AttestorKind } from './identity.ts'
import type { PolicySettings, Problem } from './policy/settings.ts'

/**
 * The whole configuration: checked, defaults filled, paths absolute, durations in seconds, deeply frozen.
 */
export type Config = ServerConfig & {
  /** Who may vouch for workloads. */
  readonly trust: readonly TrustConfig[]
  /** What tokens are for. */
  readonly resources: readonly ResourceConfig[]
  readonly policies: PoliciesConfig
  /** For whom workloads may act. */
  readonly users: readonly UsersSettings[]
  readonly delegation: DelegationConfig
  /** The authorization servers that take ID-JAGs of ours. */
  readonly chaining: readonly ChainingConfig[]
  /** The trust domain that transaction tokens are for, as their audience; null where there is none. */
  readonly transactions: ReturnType<typeof readTransactions>
}

/** What came of loading: a Config with its warnings, or problems of which at least one is an error. */
export type Loaded =
  | { readonly config: Config; readonly warnings: readonly Problem[] }
  | { readonly problems: readonly Problem[] }

/** What `loadConfig` needs beside the text. */
export type LoadOptions = Outside & {
  /** The file's path as the operator knows it, for problems. */
  readonly path: string
  /** The attestors that a trust entry may name; all that there are, if left out. */
  readonly kinds?: readonly AttestorKind<unknown>[]
}

/**
 * Reads a configuration. Never throws for anything in the file.
 * @param source the file as read; give bytes where the encoding shall be checked
 */
export function loadConfig(source: string | Uint8Array, options: LoadOptions): Loaded {
  const document = readDocument(source, options.path)
  if ('problems' in document) return document
  const find = new Findings(options.path, document.locate)
  const kinds = options.kinds ?? KINDS
  const schema = settingsSchema(kinds)
  examine(schema, document.value, [], find)
  refuseReferences(document.value, find)
  const written = resolvePaths(schema, document.value, options.baseDir)
  const config = isTree(written) ? readAll(written, options, kinds, find) : undefined
  const problems = find.problems()
  return config === undefined || problems.some(({ severity }) => severity === 'error')
    ? { problems }
    : { config: deepFreeze(config), warnings: problems }
}

/** What policies are compiled with, out of a Config. */
export function policySettings(config: Config): PolicySettings {
  return {
    audiences: [
      ...config.resources,
      ...config.chaining.flatMap(({ resources }) => resources),
      ...(config.transactions === null ? [] : [config.transactions]),
    ].map(({ audience, scopes, groups }) => ({ audience, scopes, groups })),
    anchors: [
      ...config.trust.map(({ trust, anchor, environment }) => ({
        trust,
        entity: anchor,
        environment,
      })),
      ...config.users.map(({ name }) => ({
        trust: `users:${name}`,
        entity: { type: 'Users', id: name },
        environment: null,
      })),
    ],
    zones: config.policies.zones,
    calendars: config.policies.calendars,
    groups: config.policies.groups,
  }
}

/** Reads every section against the others. What comes back is a Config only if nothing was reported. */
function readAll(
  raw: Partial<RawSettings>,
  outside: Outside,
  kinds: readonly AttestorKind<unknown>[],
  find: Findings,
): Config {
  const server = readServer(raw, find, outside)
  const entries = Array.isArray(raw.trust) ? raw.trust : []
  const trust = readTrust(entries, server.issuer, kinds, find)
  const listed = Array.isArray(raw.resources) ? raw.resources : []
  const around = { issuer: server.issuer, trust, seen: new Set<string>() }
  const resources = readResources(listed, around, find)
  const chaining = readChaining(
    Array.isArray(raw.chaining) ? raw.chaining : [],
    around,
    resources,
    find,
  )
  const transactions = readTransactions(raw.transactions, around, resources, find)
  const whole = find.sound(['trust']) && trust.length === entries.length ? trust : null
  checkServers(resources, whole, find)
  const policies = readPolicies(raw.policies, whole, find, outside)
  const users = readUsers(raw, server.issuer, trust, find)
  const delegation = readDelegation(raw.delegation, whole, find)
  const others = { chaining, transactions }
  return { ...server, trust, resources, ...others, policies, users, delegation }
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const part of Object.values(value)) deepFreeze(part)
  }
  return value
}
