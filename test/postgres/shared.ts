/** One PostgreSQL for all suites of a process: each test has a database of its own. */

import { after } from 'node:test'
import { startPostgres } from './server.ts'

export const server = await startPostgres()
after(() => server.close())
