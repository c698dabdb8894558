/** CI jobs at the token endpoint, under the shipped example: two GitHub entries and a GitLab one in one broker. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type TestContext, test } from 'node:test'
import { decodeJwt } from 'jose'
import { startBroker } from '../world/broker.ts'
import { TestClock } from '../world/clock.ts'
import type { Draft } from '../world/issuer.ts'
import { signer } from '../world/keys.ts'
import { FakePlatform, put } from '../world/oidc.ts'
import { GOLDEN } from '../world/oidcclaims.ts'

const EXAMPLE = resolve(import.meta.dirname, '../../policies/examples/ci-protected-branch')
const RESOURCE = 'https://deploy.example.com'
const ISSUER = 'https://countersign.test'

async function startCi(t: TestContext) {
  const clock = new TestClock()
  const platform = async (name: 'github' | 'gitlab') => {
    const issuer = new FakePlatform(clock, GOLDEN[name], ISSUER, [signer(name)])
    t.after(() => issuer.close())
    return issuer.listen()
  }
  const github = await platform('github')
  const gitlab = await platform('gitlab')
  const entry = (
    name: string,
    preset: 'github' | 'gitlab',
    issuer: FakePlatform,
    require: object,
  ) => ({
    oidc: {
      name,
      preset,
      issuer: GOLDEN[preset].entry.issuer,
      jwks: { url: issuer.jwksUrl, allowPrivate: true },
      require,
    },
  })
  const world = await startBroker(t, {
    issuer: ISSUER,
    policies: { 'deploy.cedar': readFileSync(join(EXAMPLE, 'deploy.cedar'), 'utf8') },
    settings: {
      trust: [
        entry('github', 'github', github, { repository_owner_id: '4711' }),
        entry('partner', 'github', github, { repository_owner_id: ['5000', '5001'] }),
        entry('gitlab', 'gitlab', gitlab, { namespace_id: '72' }),
      ],
      resources: [{ audience: RESOURCE, scopes: ['deploy:staging', 'deploy:production'] }],
    },
  })
  const ask = (assertion: string) =>
    world.ask(world.form({ assertion, resource: RESOURCE, scope: 'deploy:production' }))
  const last = () => world.events().at(-1)
  return { world, github, gitlab, ask, last }
}

test('the protected branch deploys, by ids; the same token does so once', async (t) => {
  const { github, ask, last } = await startCi(t)
  const assertion = github.mint()
  const answer = await ask(assertion)
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  const token = decodeJwt(String(answer.body['access_token']))
  assert.equal(token.sub, 'oidc://github/4711/815')
  assert.equal(token['scope'], 'deploy:production')
  assert.deepEqual(last()?.question?.actor.principal, {
    type: 'GitHubWorkflow',
    id: 'github/4711/815',
  })

  assert.equal((await ask(assertion)).status, 400)
  assert.equal(last()?.reason, 'evidence_replayed')
  assert.equal((await ask(github.mint())).status, 200)
})

type Row = readonly [what: string, change: (token: Draft) => void, reason: string, trust: string]

const ROWS: readonly Row[] = [
  ['another branch', ({ claims }) => put(claims, 'ref', 'refs/heads/x'), 'policy_denied', 'github'],
  [
    'a branch that lost its protection',
    ({ claims }) => put(claims, 'ref_protected', 'false'),
    'policy_denied',
    'github',
  ],
  [
    'a pull request',
    ({ claims }) => put(claims, 'event_name', 'pull_request_target'),
    'policy_denied',
    'github',
  ],
  [
    'a repository that took over the name',
    ({ claims }) => put(claims, 'repository_id', '816'),
    'policy_denied',
    'github',
  ],
  [
    'a partner, whom no policy names',
    ({ claims }) => put(claims, 'repository_owner_id', '5001'),
    'policy_denied',
    'partner',
  ],
  [
    'a stranger of the same platform',
    ({ claims }) => put(claims, 'repository_owner_id', '666'),
    'subject_untrusted',
    '',
  ],
]

for (const [what, change, reason, trust] of ROWS) {
  test(`${what} does not deploy: ${reason}`, async (t) => {
    const { github, ask, last } = await startCi(t)
    const answer = await ask(github.mint(change))
    assert.equal(answer.status, 400)
    assert.equal(last()?.reason, reason)
    assert.equal(last()?.question?.actor.trust ?? '', trust && `oidc:${trust}`)
  })
}

test('a GitLab job is somebody else, whatever its ids', async (t) => {
  const { gitlab, ask, last } = await startCi(t)
  assert.equal((await ask(gitlab.mint())).status, 400)
  assert.equal(last()?.reason, 'policy_denied')
  assert.deepEqual(last()?.question?.actor.principal, { type: 'GitLabJob', id: 'gitlab/72/2020' })
})

test('keys of one platform sign nothing for the other', async (t) => {
  const { github, gitlab, ask, last } = await startCi(t)
  const forged = github.mint(({ header, claims }) => {
    put(header, 'kid', gitlab.signer.kid)
    put(claims, 'iss', GOLDEN.gitlab.entry.issuer)
    put(claims, 'namespace_id', '72')
    put(claims, 'project_id', '2020')
    put(claims, 'project_path', 'example/shop')
  })
  assert.equal((await ask(forged)).status, 400)
  assert.equal(last()?.reason, 'signature_invalid')
})
