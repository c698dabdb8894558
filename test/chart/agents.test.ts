/** Agents in pods against an installed broker: policies that change while it runs, and pods that are not alike. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Namespace } from '../cluster/namespace.ts'
import { CHART } from './helm.ts'
import { IMAGE, Release, withoutCluster } from './release.ts'

const skip = withoutCluster()
const RESOURCE = 'https://mcp.example.com'
const RESOURCES = { resources: [{ audience: RESOURCE, scopes: ['trades:read'] }] }
/** A mounted ConfigMap follows within a minute or so, and policies are looked at every half minute. */
const PATIENCE_MS = 150_000

test('a policy in a ConfigMap is in force without a restart, and an agent gets its token', {
  skip,
}, async (t) => {
  const release = await Release.prepare(t)
  const agents = await agentsOf(t, release)
  const policies = (text: string) =>
    apply(release.namespace, 'team-policies', { 'team.cedar': text })
  await policies('// nothing yet\n')
  await release.apply('install', { policies: { configMaps: ['team-policies'] }, config: RESOURCES })
  await lend(release, agents)
  await deployExample(release, agents)
  const before = await release.pods()

  await until(async () =>
    (await agents.kubectl('logs', 'deploy/planner')).includes('invalid_scope'),
  )
  await policies(permit(`${agents.name}/planner`))
  const changed = performance.now()
  await release.nudge()
  const line = await until(async () => {
    const log = await agents.kubectl('logs', 'deploy/planner')
    return /^k8s:.*$/m.exec(log)?.[0] ?? false
  })
  t.diagnostic(
    `${line}; ${Math.round((performance.now() - changed) / 1000)} s after the ConfigMap changed`,
  )
  assert.match(
    line,
    new RegExp(`^k8s://in-cluster/ns/${agents.name}/sa/planner has trades:read until`),
  )
  assert.deepEqual(await release.pods(), before, 'no pod was replaced or started again')

  await t.test('a broken policy is refused, and the one before stays', async () => {
    await policies('permit (principal')
    await release.nudge()
    await until(async () => (await release.log()).includes('The changed policies were refused'))
    assert.deepEqual(await release.pods(), before)
    const count = (await agents.kubectl('logs', 'deploy/planner')).split('\n').length
    await until(
      async () => (await agents.kubectl('logs', 'deploy/planner')).split('\n').length > count,
    )
    const last = (await agents.kubectl('logs', 'deploy/planner', '--tail=1')).trim()
    assert.match(last, /^k8s:.* has trades:read/)
  })
})

test('the same policy lets a hardened pod in and keeps a privileged one out', {
  skip,
}, async (t) => {
  const release = await Release.prepare(t)
  const hardened = await agentsOf(t, release)
  const privileged = await agentsOf(t, release, 'privileged')
  const text = permit(`${hardened.name}/planner`, `${privileged.name}/planner`)
  await release.apply('install', {
    policies: { inline: { 'hardened.cedar': `${text}\n${HARDENED}` } },
    config: RESOURCES,
  })
  for (const agents of [hardened, privileged]) await lend(release, agents)
  for (const agents of [hardened, privileged]) await lend(release, agents)
  assert.match(await answer(release, hardened), /"scope":"trades:read"/)
  const refused = await answer(release, privileged, { privileged: true })
  assert.match(refused, /^countersign token: invalid_scope: /m)
})

const HARDENED = `@id("pods-are-hardened") @owner("security")
forbid (principal, action == Action::"trades:read", resource)
unless {
  principal is ServiceAccount && principal has pod &&
  principal.pod has privileged && !principal.pod.privileged &&
  principal.pod has runAsNonRoot && principal.pod.runAsNonRoot
};`

function permit(...accounts: readonly string[]): string {
  return accounts
    .map(
      (account, index) => `@id("agent-${index}") @owner("team-agents") @ttl("5m")
permit (
  principal == ServiceAccount::"in-cluster/${account}",
  action == Action::"trades:read",
  resource == Audience::"${RESOURCE}"
);`,
    )
    .join('\n')
}

/** A namespace with the agents' service account, where pods of this Pod Security level may run. */
async function agentsOf(
  t: TestContext,
  release: Release,
  level = 'restricted',
): Promise<Namespace> {
  const { cluster } = release.namespace
  const namespace = await Namespace.open(t, cluster, ['planner'])
  const label = `pod-security.kubernetes.io/enforce=${level}`
  await cluster.kubectl(['label', 'namespace', namespace.name, label])
  return namespace
}

/** Creates or replaces a ConfigMap. */
async function apply(namespace: Namespace, name: string, data: Readonly<Record<string, string>>) {
  const object = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: namespace.name },
    data,
  }
  await namespace.cluster.kubectl(['apply', '-f', '-'], JSON.stringify(object))
}

/** Copies the broker's authority, as the example tells its reader to. */
async function lend(release: Release, agents: Namespace): Promise<void> {
  await apply(agents, 'countersign-ca', { 'ca.crt': await release.authority() })
}

/** The example of the chart, with the names of this test. */
async function deployExample(release: Release, agents: Namespace): Promise<void> {
  const text = readFileSync(join(CHART, 'examples/agent.yaml'), 'utf8')
    .replaceAll('https://countersign.example.com', release.issuer)
    .replaceAll('namespace: agents', `namespace: ${agents.name}`)
    .replaceAll('30_000', '2_000')
  await agents.cluster.kubectl(['apply', '-f', '-'], text)
}

/** What a pod that runs `countersign token` once has printed. */
async function answer(release: Release, agents: Namespace, security: object = {}): Promise<string> {
  const mount = (name: string, mountPath: string) => ({ name, mountPath, readOnly: true })
  const projected = { path: 'token', audience: release.issuer, expirationSeconds: 600 }
  const asked = ['--issuer', release.issuer, '--resource', RESOURCE, '--scope', 'trades:read']
  await agents.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'caller' },
    spec: {
      serviceAccountName: 'planner',
      automountServiceAccountToken: false,
      restartPolicy: 'Never',
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65_532,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: 'caller',
          image: IMAGE,
          args: ['token', ...asked, '--json'],
          env: [{ name: 'NODE_EXTRA_CA_CERTS', value: '/etc/countersign/ca/ca.crt' }],
          securityContext: {
            ...('privileged' in security ? security : { allowPrivilegeEscalation: false }),
            capabilities: { drop: ['ALL'] },
          },
          volumeMounts: [
            mount('token', '/var/run/secrets/countersign'),
            mount('ca', '/etc/countersign/ca'),
          ],
        },
      ],
      volumes: [
        { name: 'token', projected: { sources: [{ serviceAccountToken: projected }] } },
        { name: 'ca', configMap: { name: 'countersign-ca' } },
      ],
    },
  })
  await until(async () => {
    const phase = await agents.kubectl('get', 'pod/caller', '-o=jsonpath={.status.phase}')
    return /Succeeded|Failed/.test(phase)
  })
  return agents.kubectl('logs', 'caller')
}

/** Asks again until the answer is neither false nor empty. @throws Error when patience is over */
async function until<Result>(ask: () => Promise<Result | false>): Promise<Result> {
  const over = performance.now() + PATIENCE_MS
  for (;;) {
    const found = await ask().catch(() => false as const)
    if (found) return found
    if (performance.now() > over) throw new Error(`waited ${PATIENCE_MS} ms for ${ask}`)
    await pause(500)
  }
}
