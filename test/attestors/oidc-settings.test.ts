import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { oidc } from '../../attestors/oidc/index.ts'
import { PRESET_NAMES, type PresetName } from '../../attestors/oidc/presets/index.ts'
import type { OidcSettings } from '../../attestors/oidc/settings.ts'
import { GOLDEN } from '../world/oidcclaims.ts'

function check(settings: OidcSettings): readonly string[] {
  const said: string[] = []
  oidc.check(settings, (path, message) => said.push(`${path.join('.')}: ${message}`))
  return said
}

suite('a preset with the least that it needs is in order', () => {
  for (const preset of PRESET_NAMES) {
    test(preset, () => assert.deepEqual(check({ name: 'a', preset, ...GOLDEN[preset].entry }), []))
  }
})

suite('an issuer that signs for everybody needs a discriminator, and is never dedicated', () => {
  const shared: readonly PresetName[] = [
    'github',
    'gitlab',
    'vercel',
    'terraform',
    'buildkite',
    'confidential-space',
  ]
  for (const preset of shared) {
    const { issuer } = GOLDEN[preset].entry
    test(`${preset}: dedicated instead of require`, () => {
      const said = check({ name: 'a', preset, issuer, dedicated: true })
      assert.ok(
        said.some((line) => /^dedicated: cannot be true: /.test(line)),
        said.join('\n'),
      )
      assert.ok(said.some((line) => /^: must require .+ or .+: this issuer signs/.test(line)))
    })
    test(`${preset}: a claim that is everybody’s`, () => {
      const said = check({ name: 'a', preset, issuer, require: { sub: 'x' } })
      assert.ok(
        said.some((line) => line.startsWith('require: must require ')),
        said.join('\n'),
      )
    })
  }

  test('without its preset a shared platform is refused, whatever else is said', () => {
    for (const preset of shared) {
      const { issuer, require } = GOLDEN[preset].entry
      const said = check({ name: 'a', issuer, ...(require && { require }), dedicated: true })
      assert.deepEqual(said, [`issuer: is ${preset}’s: set preset: ${preset}`])
    }
  })

  test('Google’s accounts without a preset', () => {
    const issuer = 'https://accounts.google.com'
    assert.equal(check({ name: 'a', issuer, dedicated: true }).length, 2)
    assert.deepEqual(check({ name: 'a', issuer, require: { sub: '1' } }), [])
    assert.deepEqual(check({ name: 'a', issuer, require: { '/sub': '1' } }), [])
  })
})

suite('one thing wrong', () => {
  const plain: OidcSettings = { name: 'a', issuer: 'https://id.example.com', dedicated: true }
  const github: OidcSettings = { name: 'a', preset: 'github', ...GOLDEN.github.entry }
  // biome-ignore format: a table, one row a line
  const rows: readonly (readonly [string, OidcSettings, string])[] = [
    ['neither require nor dedicated', { name: 'a', issuer: plain.issuer }, ': needs require, or dedicated: true where this issuer signs for us alone'],
    ['two key sources', { ...plain, jwks: { discovery: true, file: 'f' } }, 'jwks: must have exactly one of discovery, url, file, inline'],
    ['an http issuer', { ...plain, issuer: 'http://id.example.com' }, 'jwks.discovery: needs an https URL, not http://id.example.com (http: a loopback address, with allowPrivate)'],
    ['the issuer of another platform', { ...github, issuer: 'https://gitlab.com' }, 'issuer: must be https://token.actions.githubusercontent.com, the same with /<enterprise>, https://token.actions.<enterprise>.ghe.com, or https://<host>/_services/token'],
    ['a slip in require', { ...github, require: { repository_owner_id: '1', repositry_id: '2' } }, 'require.repositry_id: is no claim of this platform (did you mean "repository_id"?)'],
    ['a slip in the subject', { ...github, subject: '{repository_owner_id}/{repository_id}/{enviroment}' }, 'subject: names {enviroment}, which is no claim of this platform (did you mean "environment"?)'],
    ['a subject without the ids', { ...github, subject: '{repository}' }, 'subject: lacks {repository_owner_id}, {repository_id}: names can be taken over, ids stay'],
    ['a subject of nothing', { ...plain, subject: 'all' }, 'subject: names no {claim}'],
    ['a subject of two claims in one part', { ...plain, subject: '{sub}{team}' }, 'subject: needs a slash between two claims, or different claims could make the same subject'],
    ['a subject of two claims around a colon', { ...plain, subject: '{sub}:{team}' }, 'subject: needs a slash between two claims, or different claims could make the same subject'],
    ['a subject with an open brace', { ...plain, subject: '{sub}/{team' }, 'subject: has "{" outside of a {claim}; only letters, digits and ._~:@/- stand there'],
    ['a subject that ends in a slash', { ...plain, subject: '{sub}/' }, 'subject: has an empty segment, "." or ".."'],
    ['a subject that steps up', { ...plain, subject: '../{sub}' }, 'subject: has an empty segment, "." or ".."'],
    ['claims beside a preset', { ...github, claims: { ref: 'string' } }, 'claims: has no meaning with a preset, which knows the claims of its platform'],
    ['no pinned image', { name: 'a', preset: 'confidential-space', issuer: GOLDEN['confidential-space'].entry.issuer, require: { '/submods/gce/project_id': 'p' } }, 'require: must pin /submods/container/image_digest with this preset'],
  ]
  for (const [what, settings, said] of rows) {
    test(what, () => assert.deepEqual(check(settings), [said]))
  }
})

test('a self-managed GitLab, a GitHub Enterprise Server and a Fly organization may be dedicated', () => {
  const own: readonly (readonly [PresetName, string])[] = [
    ['gitlab', 'https://gitlab.example.com'],
    ['github', 'https://github.example.com/_services/token'],
    ['github', 'https://token.actions.example.ghe.com'],
    ['flyio', 'https://oidc.fly.io/example'],
    ['vercel', 'https://oidc.vercel.com/example'],
    ['terraform', 'https://terraform.example.com'],
  ]
  for (const [preset, issuer] of own) {
    assert.deepEqual(check({ name: 'a', preset, issuer, dedicated: true }), [], preset)
  }
})

test('only vercel, whose platform fixes it, has an audience that is not below our issuer', () => {
  const fixes = (settings: OidcSettings, audience: string) =>
    oidc.fixesAudience?.(settings, audience)
  const vercel: OidcSettings = { name: 'a', preset: 'vercel', ...GOLDEN.vercel.entry }
  assert.equal(fixes(vercel, 'https://vercel.com/example'), true)
  for (const audience of [
    'https://vercel.com',
    'https://vercel.com/a/b',
    'https://evil.example',
    'https://vercel.com.evil.example/a',
  ]) {
    assert.equal(fixes(vercel, audience), false, audience)
  }
  for (const preset of PRESET_NAMES.filter((name) => name !== 'vercel')) {
    const settings = { name: 'a', preset, ...GOLDEN[preset].entry }
    assert.equal(fixes(settings, 'https://vercel.com/example'), false, preset)
  }
})
