/**
 * `npm test`: every test that needs no cluster. Two processes, each with all its files in one: what a test costs is
 * mostly the start of a process, and most machines have two cores.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { join } from 'node:path'

/** Programs that tests start load the same modules each time: they are compiled once, and again when they change. */
const COMPILED = join(import.meta.dirname, '../node_modules/.cache/compiled')

/** The first half compiles policies over and over and starts programs, the second attests and serves requests. */
const HALVES = [
  ['*.test.ts', '{agent,config,policy,process}/**/*.test.ts'],
  ['{attestors,conformance,fuzz,http,net,store}/**/*.test.ts'],
]

const codes = await Promise.all(
  HALVES.map(async (patterns) => {
    const files = globSync(patterns, { cwd: import.meta.dirname }).sort()
    const args = [
      '--test',
      '--test-isolation=none',
      `--test-reporter=${join(import.meta.dirname, 'reporter.ts')}`,
    ]
    const child = spawn(
      process.execPath,
      [...args, ...files.map((file) => join(import.meta.dirname, file))],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, NODE_COMPILE_CACHE: COMPILED },
      },
    )
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    const [code] = await once(child, 'close')
    process.stdout.write(output)
    return code
  }),
)
process.exitCode = codes.every((code) => code === 0) ? 0 : 1
