/** Reports a run in few lines: a dot for each test that passes, all about each that does not, and the count. */

import { relative } from 'node:path'
import type { TestEvent } from 'node:test/reporters'
import { inspect } from 'node:util'

type Failure = Extract<TestEvent, { type: 'test:fail' }>['data']

export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const failures: Failure[] = []
  let passed = 0
  let skipped = 0
  for await (const { type, data } of events) {
    if (type === 'test:fail') {
      failures.push(data)
      yield 'x'
    } else if (type === 'test:pass' && data.details.type !== 'suite') {
      if (data.skip === undefined) passed += 1
      else {
        skipped += 1
        yield `\nskipped: ${data.name}: ${data.skip}\n`
      }
      if (passed % 10 === 0) yield '.'
    }
  }
  for (const { name, file, line, details } of failures) {
    const where = file === undefined ? '' : ` (${relative('.', file)}:${line})`
    yield `\n\n✖ ${name}${where}\n${inspect(details.error.cause ?? details.error)}\n`
  }
  yield `\n${passed} passed, ${failures.length} failed, ${skipped} skipped\n`
}
