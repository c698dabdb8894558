/**
 * `npm test`: every test that needs no cluster. Three processes, each with all its files in one: what a test costs is
 * mostly the start of a process. Most machines have two cores, and the third waits most of its time for programs.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { join } from 'node:path'

/** Programs that tests start load the same modules each time: they are compiled once, and again when they change. */
const COMPILED = join(import.meta.dirname, '../node_modules/.cache/compiled')

/** The first compiles policies over and over, the second attests and serves requests, the third starts programs. */
const GROUPS = [
  ['*.test.ts', '{config,policy}/**/*.test.ts'],
  ['{attestors,conformance,fuzz,http,net,resource,store}/**/*.test.ts'],
  ['{agent,process}/**/*.test.ts'],
]

const codes = await Promise.all(
  GROUPS.map(async (patterns) => {
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
