import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { kubernetes } from '../../attestors/kubernetes/index.ts'
import type { KubernetesSettings } from '../../attestors/kubernetes/settings.ts'

suite('settings', () => {
  const good: KubernetesSettings = { cluster: 'prod-eu', issuer: 'https://issuer.example' }
  type Change = {
    readonly [Name in keyof KubernetesSettings]?: KubernetesSettings[Name] | undefined
  }
  const rows: readonly (readonly [string, Change, string])[] = [
    ['two key sources', { jwks: { discovery: true, file: 'f' } }, 'jwks'],
    ['no key source', { jwks: {} }, 'jwks'],
    ['a bearer token for a file', { jwks: { file: 'f', token: 't' } }, 'jwks.token'],
    ['an http URL', { jwks: { url: 'http://issuer.example/jwks' } }, 'jwks.url'],
    ['discovery at an issuer that is no URL', { issuer: 'kubernetes' }, 'jwks.discovery'],
    ['tokenreview without api', { liveness: 'tokenreview' }, 'liveness'],
    [
      'an api that is not used',
      { liveness: 'jwks', api: { inCluster: true }, jwks: { file: 'f' } },
      'api',
    ],
    ['watch without api', { liveness: 'watch' }, 'liveness'],
    ['posture without api', { posture: true }, 'posture'],
    ['posture off, and watch', { posture: false, api: { inCluster: true } }, 'posture'],
    [
      'a leeway that nothing watches',
      { terminating: 'allow', liveness: 'tokenreview', api: { inCluster: true } },
      'terminating',
    ],
    ['neither issuer nor api', { issuer: undefined }, 'issuer'],
    [
      'discovery at an issuer that is not known',
      { issuer: undefined, jwks: { discovery: true }, api: { inCluster: true } },
      'jwks.discovery',
    ],
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

  const api = { inCluster: true } as const
  const used: readonly (readonly [string, Partial<KubernetesSettings>])[] = [
    ['a live copy', {}],
    ['reviews', { liveness: 'tokenreview', jwks: { file: 'f' } }],
    ['posture', { liveness: 'jwks', posture: true, jwks: { file: 'f' } }],
    ['keys', { liveness: 'jwks' }],
  ]
  for (const [what, change] of used) {
    test(`with api for ${what} are in order`, () => {
      assert.deepEqual(check({ ...good, api, ...change }), [])
    })
  }

  test('of a cluster of which only the name is said are in order', () => {
    assert.deepEqual(check({ cluster: 'home', api }), [])
  })

  for (const [what, change, path] of rows) {
    test(`with ${what} are reported at ${path}`, () => {
      assert.deepEqual(check({ ...good, ...change } as KubernetesSettings), [path])
    })
  }
})
