/** Writes `src/config.schema.json` (`npm run schema`); with `--check`, fails when it is stale. */

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { KINDS } from '../../attestors/index.ts'
import { settingsSchema } from './schema.ts'

/** The published JSON Schema as text, for all kinds of trust entry. */
export function schemaText(): string {
  const document = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...settingsSchema(KINDS),
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

/** Where the schema is published. */
export const SCHEMA_FILE = fileURLToPath(new URL('../config.schema.json', import.meta.url))

if (import.meta.main) {
  if (!process.argv.includes('--check')) writeFileSync(SCHEMA_FILE, schemaText())
  else if (readFileSync(SCHEMA_FILE, 'utf8') !== schemaText()) {
    process.stderr.write('src/config.schema.json is stale: npm run schema\n')
    process.exitCode = 1
  }
}
