/** Who plays in the second act: a person, the provider that she signed in at, and three agents of one cluster. */

import { generateKeyPairSync, sign } from 'node:crypto'
import { epochSeconds } from '../../units.ts'
import { type Playground, SAMPLE_RESOURCE } from '../playground.ts'
import type { StandInPod } from '../standin.ts'
import { type Answer, platformToken, post } from './caller.ts'

const agent = (serviceAccount: string): StandInPod => ({ namespace: 'agents', serviceAccount })

export const PLANNER = agent('planner')
export const HELPER = agent('helper')
/** Sees what others log. */
export const CRAWLER = agent('crawler')
export const ALICE = 'user://corp/alice'

const CORP = 'https://login.corp.example'
const CHAT_APP = 'chat-app'
const PREFIX = 'urn:ietf:params:oauth:token-type'

/** The canonical URI of an agent. */
export function uriOf({ namespace, serviceAccount }: StandInPod): string {
  return `k8s://prod-eu/ns/${namespace}/sa/${serviceAccount}`
}

/** A stand-in for the provider of people. */
export type People = {
  /** What the configuration says of it, as YAML. */
  readonly sections: string
  /** What the chat app got when Alice signed in. */
  idToken(clock: number): string
}

/** Opens the provider. */
export function people(): People {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const kid = 'corp-1'
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'ES256' }
  const sections = `
users:
  - name: corp
    issuer: ${CORP}
    jwks: { inline: { keys: [${JSON.stringify(jwk)}] } }
    accept: [id_token]
    audiences: [${CHAT_APP}]
    groupsClaim: groups
delegation:
  agents: ['ServiceAccount::"prod-eu/agents/planner"']
`
  return {
    sections,
    idToken(clock) {
      const iat = epochSeconds(clock)
      const claims = { iss: CORP, sub: 'alice', aud: CHAT_APP, iat, exp: iat + 3600 }
      const input = [
        { alg: 'ES256', kid, typ: 'JWT' },
        { ...claims, groups: ['traders'] },
      ]
        .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
        .join('.')
      const key = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const
      return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`
    },
  }
}

/** Whose authority an agent brings. */
export type Brought = {
  readonly subject: string
  readonly type: 'id_token' | 'access_token'
}

/** An agent asks by somebody's authority (RFC 8693). @param mayAct the agent that it lets go on from there */
export function exchangeAs(
  ground: Playground,
  actor: StandInPod,
  { subject, type }: Brought,
  asked: { readonly clock: number; readonly scope: string; readonly mayAct?: StandInPod },
): Promise<Answer> {
  return post(ground, '/token', {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: subject,
    subject_token_type: `${PREFIX}:${type}`,
    actor_token: platformToken(ground, actor, asked),
    actor_token_type: `${PREFIX}:jwt`,
    resource: SAMPLE_RESOURCE,
    scope: asked.scope,
    ...(asked.mayAct && { may_act: uriOf(asked.mayAct) }),
  })
}
