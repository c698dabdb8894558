import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { kubernetes } from '../../attestors/kubernetes/index.ts'
import type { KubernetesSettings } from '../../attestors/kubernetes/settings.ts'

suite('settings', () => {
  const good: KubernetesSettings = { cluster: 'prod-eu', issuer: 'https://issuer.example' }
  const rows: readonly (readonly [string, Partial<KubernetesSettings>, string])[] = [
    ['two key sources', { jwks: { discovery: true, file: 'f' } }, 'jwks'],
    ['no key source', { jwks: {} }, 'jwks'],
    ['a bearer token for a file', { jwks: { file: 'f', token: 't' } }, 'jwks.token'],
    ['an http URL', { jwks: { url: 'http://issuer.example/jwks' } }, 'jwks.url'],
    ['discovery at an issuer that is no URL', { issuer: 'kubernetes' }, 'jwks.discovery'],
    ['tokenreview without api', { liveness: 'tokenreview' }, 'liveness'],
    ['an api that is not used', { liveness: 'jwks', api: { inCluster: true } }, 'api'],
    ['an api that is two', { api: { inCluster: true, kubeconfig: 'k' } }, 'api'],
    ['an api that is none', { api: {} }, 'api'],
    ['a context of no kubeconfig', { api: { inCluster: true, context: 'c' } }, 'api.context'],
  ]
  const check = (settings: KubernetesSettings) => {
    const paths: string[] = []
    kubernetes.check(settings, (path) => paths.push(path.join('.')))
    return paths
  }

  test('with discovery by default are in order', () => assert.deepEqual(check(good), []))

  for (const [what, change, path] of rows) {
    test(`with ${what} are reported at ${path}`, () => {
      assert.deepEqual(check({ ...good, ...change }), [path])
    })
  }
})
