import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { azure } from '../../attestors/azure/index.ts'
import type { AzureSettings } from '../../attestors/azure/settings.ts'
import { loadConfig } from '../../src/config.ts'
import { worldOf } from '../world/attest.ts'
import { APP_ID, APP_URI, OTHER_TENANT, TENANT } from '../world/azure.ts'
import { TestClock } from '../world/clock.ts'
import { emptyDoor } from '../world/door.ts'

const GOOD: AzureSettings = { tenant: TENANT, audiences: [APP_URI, APP_ID] }

suite('settings of a tenant', () => {
  const check = (settings: AzureSettings) => {
    const paths: string[] = []
    azure.check(settings, (path) => paths.push(path.join('.')))
    return paths
  }

  test('with audiences of our own are in order', () => {
    assert.deepEqual(check(GOOD), [])
    const own = ['https://countersign.acme.example', 'api://acme.onmicrosoft.com/countersign']
    assert.deepEqual(check({ ...GOOD, audiences: own }), [])
  })

  for (const audience of [
    'https://management.azure.com/',
    'https://graph.microsoft.com',
    'https://vault.azure.net',
    'https://storage.azure.com/',
    'https://acme.vault.usgovcloudapi.net',
    '00000002-0000-0000-c000-000000000000',
    'api://AzureADTokenExchange',
  ]) {
    test(`with ${audience} among the audiences are reported there`, () => {
      assert.deepEqual(check({ ...GOOD, audiences: [APP_URI, audience] }), ['audiences.1'])
    })
  }

  test('with two key sources are reported', () => {
    assert.deepEqual(check({ ...GOOD, jwks: { discovery: true, file: 'f' } }), ['jwks'])
  })

  const subscriptions = ['5f130ffc-0a3e-4795-b691-4f56a12a5547']
  const attestation = {
    issuers: ['https://shared.weu.attest.azure.net'],
    policyHashes: ['wm9mHlvTU82e8UqoOy1Yj1FBRSNkfe99-69IYDq9eWs'],
  }
  const two = [...attestation.issuers, 'https://shared.neu.attest.azure.net']
  const machines: readonly (readonly [string, Partial<AzureSettings>, readonly string[]])[] = [
    ['documents', { subscriptions, intermediates: 'i.pem', roots: 'r.pem' }, []],
    ['results', { subscriptions, attestation }, []],
    ['subscriptions alone', { subscriptions }, ['subscriptions']],
    ['authorities alone', { intermediates: 'i.pem' }, ['intermediates']],
    ['results alone', { attestation }, ['attestation']],
    ['roots without authorities', { subscriptions, attestation, roots: 'r.pem' }, ['roots']],
    ['a client id for nothing', { resourceGraph: { clientId: APP_ID } }, ['resourceGraph']],
    [
      'a provider that is none',
      { subscriptions, attestation: { ...attestation, issuers: ['https://evil.example'] } },
      ['attestation.issuers.0'],
    ],
    [
      'keys of one provider for two',
      { subscriptions, attestation: { ...attestation, issuers: two, jwks: { file: 'f' } } },
      ['attestation.jwks'],
    ],
    [
      'two key sources of a provider',
      { subscriptions, attestation: { ...attestation, jwks: { file: 'f', discovery: true } } },
      ['attestation.jwks'],
    ],
  ]
  for (const [what, settings, expected] of machines) {
    test(`with ${what} have ${expected.length} problems`, () => {
      assert.deepEqual(check({ ...GOOD, ...settings }), expected)
    })
  }

  const clouds = [
    ['public', 'https://login.microsoftonline.com', 'https://sts.windows.net'],
    ['usgov', 'https://login.microsoftonline.us', 'https://sts.windows.net'],
    ['china', 'https://login.partner.microsoftonline.cn', 'https://sts.chinacloudapi.cn'],
  ] as const
  for (const [cloud, login, sts] of clouds) {
    test(`for ${cloud} mean its own issuers and the keys of the tenant there`, async (t) => {
      const { asked, door } = emptyDoor()
      const world = { ...worldOf(new TestClock()), door }
      const common = { trust: 'azure:a', audience: APP_URI }
      const attestor = azure.create({ ...GOOD, cloud }, common, world, () => null)
      t.after(() => attestor.close())
      await attestor.start()
      assert.deepEqual(attestor.issuers, [`${login}/${TENANT}/v2.0`, `${sts}/${TENANT}/`])
      const [{ url, allow } = {}] = asked
      const expected = { url: `${login}/${TENANT}/discovery/v2.0/keys`, allow: [login] }
      assert.deepEqual({ url, allow }, expected)
    })
  }
})

suite('audiences that the platform fixes, in the configuration', () => {
  const settings = { tenant: TENANT, audiences: [APP_URI, APP_ID] }

  /** The messages of a configuration with these entries. */
  function complaints(trust: readonly unknown[], resource = 'https://mcp.example.com'): string[] {
    const text = JSON.stringify({
      issuer: 'https://countersign.example.com',
      trust,
      resources: [{ audience: resource, scopes: ['a'] }],
      policies: { path: 'policies' },
    })
    const outside = {
      path: 'c.yaml',
      env: {},
      baseDir: '/',
      readFile: () => assert.fail('no file'),
    }
    const loaded = loadConfig(text, outside)
    return 'problems' in loaded ? loaded.problems.map(({ message }) => message) : []
  }

  test('need not be below our issuer', () => {
    assert.deepEqual(complaints([{ azure: settings }]), [])
  })

  test('leave no meaning to `audience`', () => {
    const [message = ''] = complaints([{ azure: { ...settings, audience: APP_URI } }])
    assert.match(message, /azure\.audience has no meaning here/)
  })

  test('may not be those of a resource', () => {
    const [message = ''] = complaints([{ azure: settings }], APP_URI)
    assert.match(message, /is the audience of "azure:/)
  })

  test('are shared by tenants: their issuers tell them apart', () => {
    const other = { ...settings, tenant: OTHER_TENANT }
    assert.deepEqual(complaints([{ azure: settings }, { azure: other }]), [])
  })

  test('tell Google’s entries apart, which share an issuer and have ours', () => {
    const gcp = (name: string, audience: string) => ({
      gcp: { name, serviceAccounts: ['107415500921133704821'], audience },
    })
    const [a, b] = [
      'https://countersign.example.com/gcp/a',
      'https://countersign.example.com/gcp/b',
    ]
    assert.deepEqual(complaints([gcp('one', a), gcp('two', b)]), [])
    const [message = ''] = complaints([gcp('one', a), gcp('two', a)])
    assert.match(message, /"gcp:one"; entries that share the issuer .* need different audiences/)
  })
})
