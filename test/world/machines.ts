/**
 * A platform that measures machines, for second evidence: its documents name an instance and repeat a challenge. Beside
 * it a whole exchange over one AWS account whose entry takes them.
 */

import { createHmac, randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { accessTokens } from '../../src/accesstoken.ts'
import { type AuditEvent, auditTo } from '../../src/audit.ts'
import { challenges } from '../../src/challenge.ts'
import { certificateJudge } from '../../src/clientcertificate.ts'
import { delegation } from '../../src/delegation.ts'
import { type Ask, exchange, type Issued, type Rooms } from '../../src/exchange.ts'
import { NO_GEO } from '../../src/geo.ts'
import type { Attestor, Carrier, SecondEvidence } from '../../src/identity.ts'
import { signingKeys } from '../../src/keys.ts'
import { nonces } from '../../src/nonce.ts'
import { pace } from '../../src/pace.ts'
import { spending } from '../../src/pinning.ts'
import { possession } from '../../src/possession.ts'
import { Refusal } from '../../src/refusal.ts'
import { openRevocations } from '../../src/revocations.ts'
import { sealer } from '../../src/seal.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { targets } from '../../src/target.ts'
import { vouching } from '../../src/vouching.ts'
import { ACCOUNT, INSTANCE, setAwsStage } from './aws.ts'
import { ISSUER, RESOURCE, startBroker } from './broker.ts'

const SECRET = 'a secret of at least thirty-two characters'

/** What is signed of a machine. Times in epoch seconds. */
export type Measured = {
  readonly machine: string
  readonly challenge: string
  readonly issuedAt: number
  readonly expiresAt: number
}

/** Signs a document. */
export function measure(measured: Measured): string {
  const payload = Buffer.from(JSON.stringify(measured)).toString('base64url')
  return `${payload}.${tag(payload)}`
}

function tag(payload: string): string {
  return createHmac('sha256', SECRET).update(payload).digest('base64url')
}

function read(value: string): Measured & { readonly isSigned: boolean } {
  const [payload = '', signature] = value.split('.')
  const isSigned = tag(payload) === signature
  return { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), isSigned }
}

/** Documents that belong to the instance that the first evidence names. */
export const DOCUMENTS: SecondEvidence = {
  claimedChallenge: (value) => read(value).challenge,
  async prepare(value, challenge) {
    const { machine, issuedAt, expiresAt, isSigned, ...document } = read(value)
    return {
      verify(now) {
        if (!isSigned) throw new Refusal('signature_invalid')
        if (document.challenge !== challenge) throw new Refusal('challenge_unknown')
        if (now >= expiresAt) throw new Refusal('token_expired')
        const fact = { value: true, grade: 'A', source: 'document', observedAt: issuedAt } as const
        const facts = { 'nitro.measured': fact, account: { ...fact, value: 'another' } }
        return { subject: machine, facts, lineage: [`machine:${machine}`], issuedAt, expiresAt }
      },
    }
  },
  mismatch(first, { subject }) {
    const expected = first.facts['ec2.instanceArn']?.value
    return expected === subject ? null : { expected: String(expected), found: subject }
  },
}

const POLICY = `
@id("measured") @owner("team-agents")
permit (principal == AwsRole::"${ACCOUNT}/settlement", action == Action::"trades:read", resource)
when { principal has nitro && principal.nitro.measured && principal.account == "${ACCOUNT}" };
`

/** An exchange whose one entry takes web identity tokens and, beside them, documents of the format `nitro`. */
export async function startMachines(t: TestContext) {
  const { broker } = await startBroker(t, {
    policies: { 'measured.cedar': POLICY },
  })
  const { clock, issuer, attestor } = await setAwsStage(t)
  const taking: Attestor = { ...attestor, second: new Map([['nitro', DOCUMENTS]]) }
  const ours = challenges(SECRET, randomBytes)
  const store = openSqlite(':memory:')
  t.after(() => store.close())
  const keys = signingKeys(store, sealer(SECRET, 'signing keys'), 86_400)
  await keys.refresh(clock.seconds())
  const revocations = await openRevocations({
    store,
    timers: clock.timers,
    now: clock.now,
    stopwatch: () => 0,
    warn: () => {},
  })
  const events: AuditEvent[] = []
  const sink = { write: async (line: string) => void events.push(JSON.parse(line)), close() {} }
  const rules = { fact: 'nitro.measured', grade: 'A' } as const
  const rooms: Rooms = {
    issuer: ISSUER,
    targets: targets({
      resources: [
        {
          audience: RESOURCE,
          maxTtlSeconds: 900,
          sender: 'bearer',
          format: 'jwt',
          claims: { measured: rules },
          from: {},
        },
      ],
      chaining: [],
      transactions: null,
    }),
    prove: possession(
      nonces(SECRET, randomBytes),
      certificateJudge(() => null),
    ),
    ...delegation(
      {
        issuer: ISSUER,
        resources: [],
        transactions: null,
        delegation: { maxDepth: 4, agents: [] },
      },
      { tokens: accessTokens(ISSUER, keys), providers: [], secret: SECRET },
    ),
    vouching: vouching([taking], new Map(), ours),
    policies: broker.policies,
    geo: NO_GEO,
    keys,
    spend: spending(store, new Map(), () => {}),
    revocations,
    audit: auditTo({ sink, store, retentionSeconds: 60, now: clock.now, warn: () => {} }),
    now: clock.now,
    pace: pace(
      () => 0,
      () => {},
    ),
    ruled: () => {},
  }
  const challenge = () => ours.issue(clock.seconds())
  const document = (change: Partial<Measured> = {}) => {
    const now = clock.seconds()
    const window = { issuedAt: now - 5, expiresAt: now + 120 }
    return measure({ machine: INSTANCE, challenge: challenge(), ...window, ...change })
  }
  let asked = 0
  /** Shows a token, and a document beside it if there is one. */
  function ask(
    value: string,
    attestation: string | null,
    carrier: Carrier = 'assertion',
    format = 'nitro',
  ): Promise<Issued> {
    asked += 1
    const beside = { role: 'attestation', carrier: 'attestation', format } as const
    const whole: Ask = {
      id: `request-${asked}`,
      grantType: 'test',
      evidence: { role: 'workload', carrier, value },
      attestation: attestation === null ? null : { ...beside, value: attestation },
      clientId: null,
      resources: [RESOURCE],
      audiences: [],
      wanted: { type: 'access_token' },
      requestedActor: null,
      scopes: ['trades:read'],
      sourceIp: null,
      proofs: null,
      subject: null,
      mayAct: null,
    }
    return exchange(rooms, whole)
  }
  return { clock, issuer, rooms, store, ours, challenge, document, ask, events }
}
