/** Each platform's own ways to fail: start from its documented token, break one thing. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { PresetName } from '../../attestors/oidc/presets/index.ts'
import type { Reason } from '../../src/refusal.ts'
import { attestorContract } from '../contract.ts'
import { attest, refused } from '../world/attest.ts'
import { AUDIENCE, put, setOidcStage } from '../world/oidc.ts'
import { DIGEST } from '../world/oidcclaims.ts'

attestorContract('oidc, preset github', (t) => setOidcStage(t, 'github'))

type Row = readonly [what: string, place: string, value: unknown, reason: Reason]

const CONTAINER = '/submods/container'

const ROWS: Readonly<Partial<Record<PresetName, readonly Row[]>>> = {
  github: [
    ['a repository of another owner', 'repository_owner_id', '666', 'subject_untrusted'],
    ['an owner id that is a number', 'repository_owner_id', 4711, 'subject_untrusted'],
    ['no repository id', 'repository_id', undefined, 'claim_invalid'],
    ['a repository id that is a name', 'repository_id', 'example/shop', 'claim_invalid'],
    ['a protection that is neither true nor false', 'ref_protected', 'maybe', 'claim_invalid'],
    ['a ref that is a list', 'ref', ['refs/heads/main'], 'claim_invalid'],
    ['no jti', 'jti', undefined, 'claim_invalid'],
    ['the platform’s default audience', 'aud', 'https://github.com/example', 'token_foreign'],
    ['a lifetime of 901 s', 'exp', 1_800_000_901, 'lifetime_excessive'],
  ],
  gitlab: [
    ['gitlab#563038: a fork', 'namespace_id', '666', 'subject_untrusted'],
    ['no project id', 'project_id', undefined, 'claim_invalid'],
    ['a project id that is a path', 'project_id', 'example/shop', 'claim_invalid'],
    ['an environment that is protected "yes"', 'environment_protected', 'yes', 'claim_invalid'],
    ['no jti', 'jti', undefined, 'claim_invalid'],
    ['the instance as audience', 'aud', 'https://gitlab.com', 'audience_wrong'],
  ],
  flyio: [
    ['an organization that took over the name', 'org_id', '607', 'subject_untrusted'],
    ['no app id', 'app_id', undefined, 'claim_invalid'],
    ['no machine id', 'machine_id', null, 'claim_invalid'],
    ['a number as digest', 'image_digest', 7, 'claim_invalid'],
    ['the platform’s default audience', 'aud', 'https://fly.io/example', 'token_foreign'],
  ],
  vercel: [
    ['another team', 'owner_id', 'team_Z2', 'subject_untrusted'],
    ['no environment', 'environment', undefined, 'claim_invalid'],
    ['no project id', 'project_id', undefined, 'claim_invalid'],
    ['an actor in act', 'act', { sub: 'somebody' }, 'claim_invalid'],
    ['an act within act', 'act', { act: {} }, 'claim_invalid'],
    ['an act that is a text', 'act', 'somebody', 'claim_invalid'],
    [
      'the fixed audience, where the entry has ours',
      'aud',
      'https://vercel.com/example',
      'token_foreign',
    ],
  ],
  terraform: [
    ['another organization', 'terraform_organization_id', 'org-x9', 'subject_untrusted'],
    ['no workspace (a stack)', 'terraform_workspace_id', undefined, 'claim_invalid'],
    ['no phase', 'terraform_run_phase', undefined, 'claim_invalid'],
    ['a run id that is none', 'terraform_run_id', 'run/1', 'claim_invalid'],
    ['a default audience', 'aud', 'vault.workload.identity', 'token_foreign'],
  ],
  buildkite: [
    ['another organization', 'organization_id', 'x', 'subject_untrusted'],
    ['ids that nobody asked for', 'pipeline_id', undefined, 'claim_invalid'],
    ['no job id', 'job_id', undefined, 'claim_invalid'],
    ['a build number in a text', 'build_number', '12', 'claim_invalid'],
    ['the platform’s default audience', 'aud', 'https://buildkite.com/example', 'token_foreign'],
  ],
  circleci: [
    ['no project', 'oidc.circleci.com/project-id', undefined, 'claim_invalid'],
    ['contexts in one text', 'oidc.circleci.com/context-ids', 'a', 'claim_invalid'],
    ['a rerun that is a number', 'oidc.circleci.com/ssh-rerun', 1, 'claim_invalid'],
    [
      'the organization as audience',
      'aud',
      '0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0',
      'token_foreign',
    ],
  ],
  'confidential-space': [
    [
      'another image',
      `${CONTAINER}/image_digest`,
      `sha256:${'00'.repeat(32)}`,
      'subject_untrusted',
    ],
    ['a debug image', 'dbgstat', 'enabled', 'claim_invalid'],
    ['debugging that was switched off late', 'dbgstat', 'disabled', 'claim_invalid'],
    ['nothing said of debugging', 'dbgstat', undefined, 'claim_invalid'],
    [
      'an unsupported image',
      '/submods/confidential_space/support_attributes',
      ['USABLE'],
      'claim_invalid',
    ],
    ['no support attributes', '/submods/confidential_space', undefined, 'claim_invalid'],
    ['a changed command', `${CONTAINER}/cmd_override`, ['/bin/sh'], 'claim_invalid'],
    ['a changed environment', `${CONTAINER}/env_override`, { LD_PRELOAD: 'x' }, 'claim_invalid'],
    ['hardware that encrypts no memory', 'hwmodel', 'GCP_SHIELDED_VM', 'claim_invalid'],
    ['another operating system', 'swname', 'GCE', 'claim_invalid'],
    ['no project', '/submods/gce/project_number', undefined, 'claim_invalid'],
    ['the launcher’s own token', 'aud', 'https://sts.googleapis.com', 'token_foreign'],
  ],
}

for (const [name, rows] of Object.entries(ROWS)) {
  const preset = name as PresetName
  suite(`preset ${name}`, () => {
    for (const [what, place, value, reason] of rows) {
      test(`${what} is refused as ${reason}`, async (t) => {
        const { clock, issuer, attestor } = await setOidcStage(t, preset)
        const token = issuer.mint(({ claims }) => put(claims, place, value))
        const refusal = await refused(attest(attestor, token, clock), reason)
        assert.notDeepEqual(refusal.detail, {}, 'an operator must be able to mend it')
      })
    }
  })
}

test('github: the subject is the same whatever sub says, and whatever the repository is called', async (t) => {
  const { clock, issuer, attestor } = await setOidcStage(t, 'github')
  const ids = []
  for (const sub of [
    'repo:example/shop:ref:refs/heads/main',
    'anything: the owner chooses',
    undefined,
  ]) {
    const token = issuer.mint(({ claims }) => {
      put(claims, 'sub', sub)
      put(claims, 'repository', 'renamed/since')
    })
    ids.push((await attest(attestor, token, clock)).principal.id)
  }
  assert.deepEqual(ids, Array(3).fill('github/4711/815'))
})

test('github: texts that mean true are true, and what is empty is not known', async (t) => {
  const { clock, issuer, attestor } = await setOidcStage(t, 'github')
  const token = issuer.mint(({ claims }) => put(claims, 'environment', ''))
  const { facts } = await attest(attestor, token, clock)
  assert.equal(facts['refProtected']?.value, true)
  assert.ok(!('environment' in facts))
})

test('gitlab#563038: a merge request from a fork has the name of the fork, not of the project that runs it', async (t) => {
  const settings = { require: { namespace_id: ['72', '666'] } }
  const { clock, issuer, attestor } = await setOidcStage(t, 'gitlab', { settings })
  const token = issuer.mint(({ claims }) => {
    put(claims, 'namespace_id', '666')
    put(claims, 'project_id', '3030')
  })
  const { principal, facts } = await attest(attestor, token, clock)
  assert.equal(principal.id, 'gitlab/666/3030')
  assert.equal(facts['jobProjectId']?.value, '2020')
})

test('vercel: the fixed audience is taken where the entry has it, and the note of an exchange is no actor', async (t) => {
  const audience = 'https://vercel.com/example'
  const { clock, issuer, attestor } = await setOidcStage(t, 'vercel', { audience })
  const act = { aud: audience, iat: 1_799_999_000 }
  await attest(
    attestor,
    issuer.mint(({ claims }) => put(claims, 'act', act)),
    clock,
  )
})

test('a subject template says more, and each of its claims is demanded', async (t) => {
  const subject = '{repository_owner_id}/{repository_id}/env/{environment}'
  const { clock, issuer, attestor } = await setOidcStage(t, 'github', { settings: { subject } })
  const identity = await attest(attestor, issuer.mint(), clock)
  assert.equal(identity.principal.id, 'github/4711/815/env/production')
  const without = issuer.mint(({ claims }) => put(claims, 'environment', undefined))
  await refused(attest(attestor, without, clock), 'claim_invalid')
})

test('confidential-space: of several digests that the entry pins, each is taken', async (t) => {
  const other = `sha256:${'00'.repeat(32)}`
  const require = { '/submods/container/image_digest': [other, DIGEST] }
  const { clock, issuer, attestor } = await setOidcStage(t, 'confidential-space', {
    settings: { require },
  })
  await attest(attestor, issuer.mint(), clock)
  const token = issuer.mint(({ claims }) => put(claims, '/submods/container/image_digest', other))
  await attest(attestor, token, clock)
})

test('azure-attestation: a result is no first evidence, with our audience or without', async (t) => {
  const { clock, issuer, attestor } = await setOidcStage(t, 'azure-attestation')
  await refused(attest(attestor, issuer.mint(), clock), 'audience_wrong')
  const made = issuer.mint(({ claims }) => put(claims, 'aud', AUDIENCE))
  await refused(attest(attestor, made, clock), 'audience_wrong')
  const real = issuer.mint(({ header }) =>
    put(header, 'jku', 'https://example.weu.attest.azure.net/certs'),
  )
  await refused(attest(attestor, real, clock), 'header_refused')
})
