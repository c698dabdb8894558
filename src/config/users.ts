/** For whom agents act, and how far: the providers of people, and the rules of delegation. */

import { checkUsers, type UsersSettings } from '../../attestors/users/index.ts'
import type { EntityRef } from '../identity.ts'
import { type Findings, quote } from './findings.ts'
import { readMember } from './members.ts'
import { DEFAULTS, type RawSettings } from './schema.ts'
import type { TrustConfig } from './trust.ts'

/** The `delegation` section. */
export type DelegationConfig = {
  /** The most actors that the chain of a token may have. */
  readonly maxDepth: number
  /** The workloads that are called `ai_agent` in tokens; every other is a `service`. */
  readonly agents: readonly EntityRef[]
}

/** Reads the providers, each by itself and against whoever else answers for their issuers. */
export function readUsers(
  raw: Partial<RawSettings>,
  issuer: string,
  trust: readonly TrustConfig[],
  find: Findings,
): readonly UsersSettings[] {
  const entries = Array.isArray(raw.users) ? raw.users : []
  return entries.flatMap((entry, index) => {
    const at = ['users', index]
    if (!find.sound(at)) return []
    checkUsers(entry, find.below(at))
    if (entry.issuer === issuer) {
      find.error([...at, 'issuer'], 'is our own issuer: people are not signed in here')
    }
    for (const earlier of entries.slice(0, index)) {
      if (earlier.name === entry.name) {
        find.error([...at, 'name'], `is ${quote(entry.name)}, as that of an earlier entry`)
      }
      if (earlier.issuer === entry.issuer) {
        const message = `is ${quote(entry.issuer)}, which "users:${earlier.name}" answers for`
        find.error([...at, 'issuer'], message)
      }
    }
    refuseShared(entry, index, trust, find)
    return [entry]
  })
}

/** A trust entry may have the same issuer: role and audience then tell workloads and people apart. */
function refuseShared(
  { issuer, audiences }: UsersSettings,
  index: number,
  trust: readonly TrustConfig[],
  find: Findings,
): void {
  for (const { trust: name, issuers, audiences: theirs } of trust) {
    const both = issuers.includes(issuer)
      ? audiences.find((each) => theirs.includes(each))
      : undefined
    if (both === undefined) continue
    const message = `has ${quote(both)}, the audience of ${quote(name)}, which has the same issuer: tokens of workloads and of people need different ones`
    find.error(['users', index, 'audiences', audiences.indexOf(both)], message)
  }
}

/** Reads the rules. */
export function readDelegation(
  raw: RawSettings['delegation'],
  trust: readonly TrustConfig[] | null,
  find: Findings,
): DelegationConfig {
  const at = ['delegation']
  const agents = find.part(raw, at, 'agents') ?? []
  return {
    maxDepth: find.part(raw, at, 'maxDepth') ?? DEFAULTS.maxDepth,
    agents: agents.flatMap((text, index) => {
      const member = readMember(text, trust)
      if (typeof member !== 'string') return [member]
      find.error([...at, 'agents', index], member)
      return []
    }),
  }
}
