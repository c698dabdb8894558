/** The agent's key file: made once, whole, for its owner alone; anything else in its place is refused. */

import assert from 'node:assert/strict'
import { generateKeyPairSync, verify } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { calculateJwkThumbprint } from 'jose'
import { freshKey, keyFile } from '../../src/agent/key.ts'
import { scratch } from '../world/scratch.ts'

const pem = (curve: string) =>
  generateKeyPairSync('ec', { namedCurve: curve })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()

test('a key is made on first use, mode 0600, and found again by whoever starts after', (t) => {
  const path = join(scratch(t), 'key.pem')
  const first = keyFile(path)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(keyFile(path).jkt, first.jkt)
  assert.deepEqual(readdirSync(join(path, '..')), ['key.pem'], 'no draft is left')
})

test('its name is the thumbprint of RFC 7638, and it signs ES256', async () => {
  const { jwk, jkt, sign } = freshKey()
  assert.equal(await calculateJwkThumbprint({ ...jwk }), jkt)
  assert.deepEqual(Object.keys(jwk).sort(), ['crv', 'kty', 'x', 'y'], 'the public part alone')
  const key = { key: { ...jwk }, format: 'jwk', dsaEncoding: 'ieee-p1363' } as const
  assert.ok(verify('sha256', Buffer.from('input'), key, sign('input')))
  assert.notEqual(freshKey().jkt, jkt)
})

test('a key that was mounted, by a link and for reading only, is used', (t) => {
  const folder = scratch(t)
  writeFileSync(join(folder, 'mounted'), pem('P-256'), { mode: 0o400 })
  symlinkSync(join(folder, 'mounted'), join(folder, 'key.pem'))
  assert.equal(keyFile(join(folder, 'key.pem')).jkt, keyFile(join(folder, 'mounted')).jkt)
})

test('the key of another process that was first is used, and not written over', (t) => {
  const path = join(scratch(t), 'key.pem')
  writeFileSync(path, pem('P-256'), { mode: 0o600 })
  const before = readFileSync(path, 'utf8')
  keyFile(path)
  assert.equal(readFileSync(path, 'utf8'), before)
})

const BAD: readonly (readonly [string, (path: string) => void, RegExp])[] = [
  ['that its group can read', (path) => written(path, pem('P-256'), 0o640), /mode 0640/],
  ['that everybody can read', (path) => written(path, pem('P-256'), 0o604), /mode 0604/],
  ['that others can write', (path) => written(path, pem('P-256'), 0o602), /mode 0602/],
  ['that is empty', (path) => written(path, '', 0o600), /not used/],
  ['with another curve', (path) => written(path, pem('P-384'), 0o600), /P-256/],
  ['with half a key', (path) => written(path, pem('P-256').slice(0, 120), 0o600), /not used/],
  ['that is too large', (path) => written(path, pem('P-256').padEnd(5000), 0o600), /too large/],
  ['that is a folder', (path) => mkdirSync(path, { mode: 0o700 }), /not used/],
  ['in a folder that is not there', () => {}, /ENOENT/],
]
function written(path: string, text: string, mode: number): void {
  writeFileSync(path, text)
  chmodSync(path, mode)
}
for (const [what, make, problem] of BAD) {
  test(`a key file ${what} is refused as key_unusable`, (t) => {
    const isMissing = what.includes('not there')
    const path = join(scratch(t), isMissing ? 'missing/key.pem' : 'key.pem')
    make(path)
    assert.throws(() => keyFile(path), { code: 'key_unusable', message: problem })
    if (isMissing) assert.equal(existsSync(path), false)
  })
}
