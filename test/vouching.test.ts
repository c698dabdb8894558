/** Second evidence beside evidence that is relayed: the platform's answer says whose entry it is for. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { challenges } from '../src/challenge.ts'
import type { Attestor, Evidence, Identity, SecondEvidence } from '../src/identity.ts'
import type { Relay } from '../src/relay.ts'
import { vouching } from '../src/vouching.ts'
import { refused } from './world/attest.ts'
import { DOCUMENTS, measure } from './world/machines.ts'

const NOW = 1_800_000_000
const OURS = challenges('a secret of at least thirty-two characters', randomBytes)
const FORMAT = 'aws-caller-identity'

function identity(trust: string, challenge: string): Identity {
  const fact = { value: 'machine-1', grade: 'A', source: 'sts', observedAt: NOW } as const
  return {
    kind: 'aws',
    trust,
    uri: 'aws://aws/1/role/r',
    principal: { type: 'AwsRole', id: '1/r' },
    ancestry: [],
    facts: { 'ec2.instanceArn': fact },
    issuedAt: NOW,
    expiresAt: NOW + 900,
    replay: { policy: 'once', key: 'signature' },
    challenges: [{ challenge, expiresAt: NOW + 120 }],
    lineage: [],
  }
}

const never = (): never => assert.fail()

/** A relay whose platform says that everything is for one entry; entries of which one takes documents. */
function stage(trust: string, challenge: string, documents: SecondEvidence = DOCUMENTS) {
  const relay: Relay = {
    prepare: async () => ({ trust, verify: () => identity(trust, challenge) }),
  }
  const entry = { kind: 'aws', issuers: ['https://i'], audience: 'a', algorithms: [] }
  const methods = { prepare: never, start: never, health: never, close() {} }
  const attestors: Attestor[] = [
    { ...entry, ...methods, trust: 'aws:plain' },
    { ...entry, ...methods, trust: 'aws:takes', second: new Map([['nitro', documents]]) },
  ]
  return vouching(attestors, new Map([[FORMAT, relay]]), OURS)
}

function shown(challenge: string | null, format = FORMAT) {
  const evidence: Evidence = { role: 'workload', carrier: 'client_assertion', value: 'x', format }
  const window = { issuedAt: NOW - 1, expiresAt: NOW + 60 }
  const beside = { role: 'attestation', carrier: 'attestation', format: 'nitro' } as const
  const attestation =
    challenge === null
      ? null
      : { ...beside, value: measure({ machine: 'machine-1', challenge, ...window }) }
  return { evidence, attestation }
}

test('goes to the entry that the answer was for, and may answer the same challenge', async () => {
  const challenge = OURS.issue(NOW)
  const vouch = stage('aws:takes', challenge)
  const prepared = await vouch.prepare(shown(challenge), NOW, never)
  const { facts, expiresAt, challenges: answered = [] } = prepared.verify(NOW)
  assert.deepEqual(Object.keys(facts).sort(), ['account', 'ec2.instanceArn', 'nitro.measured'])
  assert.equal(expiresAt, NOW + 60)
  assert.deepEqual(
    answered.map((each) => each.challenge),
    [challenge, challenge],
  )
})

test('is attestation_refused where that entry takes none, or is not there', async () => {
  const challenge = OURS.issue(NOW)
  for (const trust of ['aws:plain', 'aws:gone']) {
    const vouch = stage(trust, challenge)
    await refused(
      Promise.resolve(vouch.prepare(shown(challenge), NOW, never)),
      'attestation_refused',
    )
    const alone = await vouch.prepare(shown(null), NOW, never)
    assert.equal(alone.verify(NOW).trust, trust)
  }
})

test('a format that nobody relays is type_refused', async () => {
  const vouch = stage('aws:plain', OURS.issue(NOW))
  await refused(Promise.resolve(vouch.prepare(shown(null, 'other'), NOW, never)), 'type_refused')
})

test('a challenge that ends before all is verified is challenge_expired', async () => {
  const challenge = OURS.issue(NOW)
  const prepared = await stage('aws:takes', challenge).prepare(shown(challenge), NOW, never)
  await refused(() => prepared.verify(NOW + 120), 'challenge_expired')
})

test('a challenge that is not ours is refused before the document is looked at', async () => {
  const unread = { ...DOCUMENTS, prepare: never }
  const vouch = stage('aws:takes', OURS.issue(NOW), unread)
  const foreign = challenges('another secret of thirty-two characters', randomBytes).issue(NOW)
  await refused(Promise.resolve(vouch.prepare(shown(foreign), NOW, never)), 'challenge_unknown')
})
