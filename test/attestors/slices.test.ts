import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { ClusterApiError } from '../../attestors/kubernetes/api.ts'
import { LineSlicer, ListSlicer, MAX_OBJECT_BYTES } from '../../attestors/kubernetes/slices.ts'

/** Cuts a list that comes in pieces of a size. */
function cut(text: string | Buffer, size = 7) {
  const items: unknown[] = []
  const slicer = new ListSlicer((item) => items.push(JSON.parse(item)))
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) slicer.push(bytes.subarray(at, at + size))
  return { list: slicer.end(), items }
}

suite('a list that is cut into its items', () => {
  const items = [
    { metadata: { name: 'a', labels: { 'a"b': '}{][\\', '\\"items":[': 'é\u{1f600}' } } },
    { metadata: { name: 'b', ownerReferences: [{ uid: 'x' }] }, spec: { items: [[], {}] } },
    {},
  ]
  const list = {
    kind: 'PodList',
    metadata: { resourceVersion: '7', continue: 'x[{' },
    after: [1, []],
  }

  test('is the same in pieces of any size, with and without white space', () => {
    for (const indent of [0, 2]) {
      const text = JSON.stringify({ ...list, items }, null, indent)
      for (const size of [1, 2, 3, 5, 8, 13, 64, 10_000]) {
        assert.deepEqual(cut(text, size), { list: { ...list, items: [] }, items })
      }
    }
  })

  test('leaves out managedFields of its items’ metadata, and no deeper ones', () => {
    const managedFields = [{ manager: 'a', fieldsV1: { 'f:x': [']', '}'] } }]
    const item = (own: readonly object[]) => ({
      metadata: { managedFields: own, name: 'a', labels: {}, finalizers: ['managedFields'] },
      spec: { own: { managedFields } },
    })
    const text = JSON.stringify({ items: [item(managedFields), item(managedFields)] })
    for (const size of [1, 4, 9, 10_000])
      assert.deepEqual(cut(text, size).items, [item([]), item([])])
  })

  const garbage: readonly (readonly [string, string | Buffer])[] = [
    ['nothing', ''],
    ['text', 'no list'],
    ['an array', '[{}]'],
    ['a list that does not end', '{"items":[{}]'],
    ['items that do not end', '{"items":[{},{"a":1}'],
    ['an item that is a number', '{"items":[{},7]}'],
    ['an item that is a string', '{"items":["{}"]}'],
    ['an item that is a list', '{"items":[[{}]]}'],
    ['too many closing brackets', '{"items":[{}]}}'],
    ['deep nesting', `{"items":[${'{"a":'.repeat(70)}`],
    ['a long list around no items', `{"kind":"${'x'.repeat(70_000)}","items":[]}`],
    ['a long item', `{"items":[{"a":"${'x'.repeat(MAX_OBJECT_BYTES)}"}]}`],
    ['bytes that are no UTF-8', Buffer.from('{"items":[],"a":"\xff"}', 'latin1')],
    ['an item that is no UTF-8', Buffer.from('{"items":[{"a":"\xff"}]}', 'latin1')],
  ]
  for (const [what, text] of garbage) {
    test(`is refused when it is ${what}`, () => {
      assert.throws(() => cut(text, 64 * 1024), ClusterApiError)
    })
  }
})

suite('a stream that is cut into lines', () => {
  function lines(text: string | Buffer, size: number): readonly string[] {
    const found: string[] = []
    const slicer = new LineSlicer((line) => found.push(line))
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; at += size) slicer.push(bytes.subarray(at, at + size))
    return found
  }

  test('is the same in pieces of any size, and its last line waits for its end', () => {
    for (const size of [1, 2, 3, 100]) {
      assert.deepEqual(lines('{"é":1}\n\n{"b":2}\n{"c"', size), ['{"é":1}', '{"b":2}'])
    }
  })

  test('is refused when a line is too long or no UTF-8', () => {
    assert.throws(() => lines('x'.repeat(MAX_OBJECT_BYTES + 1), 64 * 1024), ClusterApiError)
    assert.throws(() => lines(Buffer.from('\xff\n', 'latin1'), 8), ClusterApiError)
  })
})
