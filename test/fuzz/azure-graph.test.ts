/** The reader of Resource Graph's answers never gives a machine that was not asked about, and throws nothing but its own. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { GraphError, readMachines } from '../../attestors/azure/graph.ts'
import { SUBSCRIPTION, VM_ID } from '../world/cms.ts'
import { machineRow } from '../world/resourcegraph.ts'

const WANTED = { vm: VM_ID, subscriptions: [SUBSCRIPTION] }
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Reads, and holds whatever comes out to what has to be so. */
function hold(text: string): void {
  try {
    for (const { vm, subscription, tenant, principals } of readMachines(text, WANTED)) {
      assert.deepEqual([vm, subscription], [VM_ID, SUBSCRIPTION])
      for (const id of [tenant, ...principals]) assert.match(id, UUID)
    }
  } catch (error) {
    if (!(error instanceof GraphError)) throw error
  }
}

test('any text is an answer or a GraphError', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), hold))
  fc.assert(fc.property(fc.json(), hold))
})

test('any members of a row are an answer or a GraphError', () => {
  const member = fc.constantFrom(...Object.keys(machineRow()))
  const value = fc.jsonValue({ maxDepth: 5 })
  fc.assert(
    fc.property(fc.dictionary(member, value), fc.nat(3), (change, totalRecords) => {
      hold(JSON.stringify({ totalRecords, data: [machineRow(change)] }))
    }),
    { numRuns: 500 },
  )
})

test('a good answer with one character replaced is an answer or a GraphError', () => {
  const good = JSON.stringify({ totalRecords: 1, data: [machineRow()] })
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.string({ unit: 'binary', maxLength: 2 }), (at, by) => {
      hold(good.slice(0, at) + by + good.slice(at + 1))
    }),
    { numRuns: 1000 },
  )
})
