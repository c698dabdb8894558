/** The rules of the house that a test can hold (style: make rules executable). */

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'
import { REASONS } from '../src/refusal.ts'

const ROOT = resolve(import.meta.dirname, '..')

function filesBelow(...folders: string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  )
}

const SOURCES = filesBelow('src', 'attestors').map((path) => {
  const text = readFileSync(join(ROOT, path), 'utf8')
  const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, name = '']) =>
    name.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(path), name)) : name,
  )
  return { path, text, imports }
})

function importers(imported: (name: string) => boolean): string[] {
  return SOURCES.filter(({ imports }) => imports.some(imported)).map(({ path }) => path)
}

function assertOnly(found: readonly string[], allowed: (path: string) => boolean): void {
  assert.deepEqual(
    found.filter((path) => !allowed(path)),
    [],
  )
}

test('no file is over 300 lines', () => {
  const long = SOURCES.filter(({ text }) => text.split('\n').length > 301)
  assert.deepEqual(
    long.map(({ path }) => path),
    [],
  )
})

test('every file says in its first lines what lives there', () => {
  const silent = SOURCES.filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text))
  assert.deepEqual(
    silent.map(({ path }) => path),
    [],
  )
})

test('no file is named after nothing in particular', () => {
  const vague = /(^|\/)(utils?|helpers?|common|types|constants|manager|service|misc)\.ts$/
  assertOnly(
    SOURCES.map(({ path }) => path),
    (path) => !vague.test(path),
  )
})

test('import law: Fastify is imported only by the HTTP room and what starts it', () => {
  assertOnly(
    importers((name) => name === 'fastify'),
    (path) => path.startsWith('src/http/') || path.startsWith('src/cli/'),
  )
})

test('import law: the policy room knows no HTTP, no keys, no store, no attestor, no network', () => {
  const allowed =
    /^(src\/policy\/|src\/(identity|refusal|suggest|units)\.ts$|node:|@cedar-policy\/)/
  for (const { path, imports } of SOURCES) {
    if (!path.startsWith('src/policy/')) continue
    assertOnly(imports, (name) => allowed.test(name))
  }
})

test('import law: attestors import identity, relay, refusal, suggest, units, the net room and their SDK, nothing else', () => {
  const allowed =
    /^(attestors\/|src\/net\/|src\/(authority|identity|lineage|relay|refusal|suggest|units|uri)\.ts$|src\/(policy\/question|possession)\.ts$|node:|jose$|typebox$|cborg$|@(kubernetes|sigstore|aws-sdk|azure)\/)/
  for (const { path, imports } of SOURCES) {
    if (!path.startsWith('attestors/')) continue
    assertOnly(imports, (name) => allowed.test(name))
  }
})

test('import law: no room reaches back into the rooms before it', () => {
  const inner = /^src\/(policy|net|store)\/|^src\/(grant|token|keys|replay|audit|seal|trust)\.ts$/
  for (const { path, imports } of SOURCES) {
    if (!inner.test(path)) continue
    assertOnly(imports, (name) => !/^src\/(http|cli|exchange|broker)/.test(name))
  }
})

test('cloud SDKs load only where they are used, when they are used', () => {
  for (const { path, text } of SOURCES) {
    const statically = /^import (?!type)[^\n]*'@(kubernetes|aws-sdk|azure|sigstore)\//m
    assert.doesNotMatch(text, statically, path)
  }
})

test('the process, its environment and its console belong to cli.ts', () => {
  const touching = SOURCES.filter(({ text }) => /\bprocess\.\w|\bconsole\.\w/.test(text))
  assertOnly(
    touching.map(({ path }) => path),
    // The second is a script of this repository, not part of the broker.
    (path) => path === 'src/cli.ts' || path === 'src/config/publish.ts',
  )
})

test('clock and randomness are handed in: nobody else reads them', () => {
  const reading = SOURCES.filter(({ text }) =>
    /Date\.now\(\)|new Date\(\)|Math\.random\(\)/.test(text),
  )
  assertOnly(
    reading.map(({ path }) => path),
    (path) => path === 'src/resource/index.ts',
  )
})

test('requests of our own leave through one door', () => {
  const dialling = SOURCES.filter(({ text }) => /https?\.request\(|[^.\w]fetch\(/.test(text))
  assertOnly(
    dialling.map(({ path }) => path),
    // The agent library runs in somebody else's process; the demo and the probe play a caller.
    (path) =>
      [
        'src/net/fetch.ts',
        'src/agent/index.ts',
        'src/cli/demo/caller.ts',
        'src/cli/probe/caller.ts',
      ].includes(path),
  )
})

test('no `any` and no non-null assertion', () => {
  const loose = SOURCES.filter(({ text }) =>
    /\bas any\b|: any\b|<any>|\w!\.|\w!\[|\w!\)/.test(text),
  )
  assert.deepEqual(
    loose.map(({ path }) => path),
    [],
  )
})

test('no module-level state: one process can host several brokers', () => {
  const stateful = SOURCES.filter(({ text }) => /^(export )?let /m.test(text))
  assert.deepEqual(
    stateful.map(({ path }) => path),
    [],
  )
})

test('every Reason has a test that expects it', () => {
  const tests = filesBelow('test')
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => readFileSync(join(ROOT, path), 'utf8'))
    .join('\n')
  const untested = Object.keys(REASONS).filter((reason) => !tests.includes(`'${reason}'`))
  assert.deepEqual(untested, [])
})

test('every Reason is raised somewhere', () => {
  const sources = SOURCES.filter(({ path }) => path !== 'src/refusal.ts')
    .map(({ text }) => text)
    .join('\n')
  const unused = Object.keys(REASONS).filter((reason) => !sources.includes(`'${reason}'`))
  assert.deepEqual(unused, [])
})

test('every dependency is pinned exactly, and has its reason in ARCHITECTURE.md', () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const architecture = readFileSync(join(ROOT, 'src/ARCHITECTURE.md'), 'utf8')
  for (const [name, version] of Object.entries({
    ...manifest.dependencies,
    ...manifest.devDependencies,
  })) {
    assert.match(String(version), /^\d+\.\d+\.\d+$/, name)
  }
  for (const name of Object.keys(manifest.dependencies)) {
    assert.ok(architecture.includes(`\`${name}\``), `${name} has no reason in ARCHITECTURE.md`)
  }
})
