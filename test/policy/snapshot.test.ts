import assert from 'node:assert/strict'
import { renameSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { snapshot } from '../../src/snapshot.ts'

const folders: string[] = []
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))))

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'countersign-snapshot-'))
  folders.push(made)
  return made
}

/** Writes a ConfigMap's next content beside the last, and swaps it in as the kubelet does. */
async function project(root: string, version: string, swap = renameSync): Promise<void> {
  const data = join(root, `..${version}`)
  await mkdir(data)
  for (const name of ['a.cedar', 'b.cedar']) await writeFile(join(data, name), version)
  await symlink(`..${version}`, join(root, '..data_tmp'))
  swap(join(root, '..data_tmp'), join(root, '..data'))
}

test('files are read recursively, in order, hidden entries and other files left out', async () => {
  const root = await folder()
  await mkdir(join(root, 'team/deep'), { recursive: true })
  await mkdir(join(root, '.git'))
  const names = [
    'z.cedar',
    'team/deep/a.cedar',
    'team/b.cedar',
    '.git/c.cedar',
    '.d.cedar',
    'e.txt',
  ]
  for (const name of names) await writeFile(join(root, name), name)
  const files = await snapshot(`${root}/`)
  assert.deepEqual(files, [
    { path: `${root}/team/b.cedar`, text: 'team/b.cedar' },
    { path: `${root}/team/deep/a.cedar`, text: 'team/deep/a.cedar' },
    { path: `${root}/z.cedar`, text: 'z.cedar' },
  ])
})

test('one file may be the whole set, and a missing path is a clear error', async () => {
  const file = join(await folder(), 'only.cedar')
  await assert.rejects(snapshot(file), /no policy file or folder at .*only\.cedar/)
  await writeFile(file, 'x')
  assert.deepEqual(await snapshot(file), [{ path: file, text: 'x' }])
})

test('a ConfigMap that is swapped while it is read, at whatever moment, is never seen in part', async () => {
  const root = await folder()
  const mount = join(root, 'mount')
  await mkdir(mount)
  await project(mount, '0')
  for (const name of ['a.cedar', 'b.cedar']) await symlink(`..data/${name}`, join(mount, name))
  for (let turns = 0; turns < 40; turns++) {
    const version = String(turns + 1)
    await project(mount, version, () => {})
    const reading = snapshot(turns % 2 === 0 ? mount : root)
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
    renameSync(join(mount, '..data_tmp'), join(mount, '..data'))
    const files = await reading
    assert.equal(files.length, 2)
    assert.equal(files[0]?.text, files[1]?.text, `swapped after ${turns} turns`)
  }
})

test('a link that the kubelet has yet to take away after a swap does not matter', async () => {
  const root = await folder()
  await project(root, '1')
  await symlink('..data/removed.cedar', join(root, 'removed.cedar'))
  assert.deepEqual((await snapshot(root)).length, 2)
})

test('links that lead in circles are harmless, broken ones are not policies', async () => {
  const root = await folder()
  await writeFile(join(root, 'a.cedar'), 'a')
  await symlink('.', join(root, 'again'))
  await symlink('itself', join(root, 'itself'))
  assert.deepEqual((await snapshot(root)).length, 1)
  await symlink('gone', join(root, 'b.cedar'))
  await assert.rejects(snapshot(root), /broken link/)
})

test('what is too large or not text is refused by name', async () => {
  const root = await folder()
  await writeFile(join(root, 'a.cedar'), Buffer.from([0x22, 0xff, 0x22]))
  await assert.rejects(snapshot(root), /a\.cedar is not UTF-8/)
  await writeFile(join(root, 'a.cedar'), 'x'.repeat(1024 * 1024 + 1))
  await assert.rejects(snapshot(root), /a\.cedar is larger than/)
})
