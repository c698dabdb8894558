/** Traces of token requests, as a collector receives them. */

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { startRun } from './world/run.ts'

type Attribute = { readonly key: string; readonly value: Readonly<Record<string, unknown>> }
type Span = {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly Attribute[]
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly status: { readonly code?: number }
}

/** A collector that takes OTLP over HTTP, or answers with a fault. */
async function collector(t: TestContext, status = 200) {
  const bodies: string[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      bodies.push(text)
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  const spans = () =>
    bodies.flatMap((body) =>
      JSON.parse(body).resourceSpans.flatMap((one: { scopeSpans: { spans: Span[] }[] }) =>
        one.scopeSpans.flatMap((scope) => scope.spans),
      ),
    ) as Span[]
  return { endpoint: `http://127.0.0.1:${port}/v1/traces`, spans, bodies }
}

async function tracing(t: TestContext, endpoint: string, ratio = 1) {
  const run = await startRun(t, () => ({ telemetry: { traces: { endpoint, ratio } } }))
  const ask = (change: Record<string, string> = {}, headers: Record<string, string> = {}) => {
    const body = run.form()
    for (const [name, value] of Object.entries(change)) body.set(name, value)
    return fetch(`${run.running.publicUrl}/token`, { method: 'POST', body, headers })
  }
  return { ...run, ask }
}

const attributesOf = ({ attributes }: Span) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

test('one span a token request, one below it for each stage, and nothing that the caller sent', async (t) => {
  const { endpoint, spans, bodies } = await collector(t)
  const { ask, running, clock } = await tracing(t, endpoint)
  const answer = await ask()
  const { access_token } = (await answer.json()) as { access_token: string }
  await fetch(`${running.publicUrl}/livez`)
  await running.close()

  const [root, ...others] = spans().filter(({ parentSpanId }) => !parentSpanId)
  assert.ok(root !== undefined && others.length === 0, 'one root span')
  assert.equal(root.name, 'POST /token')
  const { 'countersign.generation': generation, ...rest } = attributesOf(root)
  assert.equal(generation, running.broker.policies.status().generation)
  assert.deepEqual(rest, {
    'countersign.request_id': answer.headers.get('x-request-id'),
    'countersign.outcome': 'issued',
    'countersign.audience': 'https://mcp.example.com',
    'countersign.trust': 'kubernetes:prod-eu',
    'http.response.status_code': 200,
  })
  const stages = spans().filter(({ parentSpanId }) => parentSpanId === root.spanId)
  assert.deepEqual(
    stages.map(({ name }) => name),
    ['prepare', 'attest', 'policy', 'sign', 'spend', 'audit'],
  )
  assert.ok(BigInt(root.startTimeUnixNano) / 1_000_000n === BigInt(clock.now()), 'our clock')
  for (const { startTimeUnixNano, endTimeUnixNano } of stages) {
    assert.ok(BigInt(startTimeUnixNano) >= BigInt(root.startTimeUnixNano))
    assert.ok(BigInt(endTimeUnixNano) <= BigInt(root.endTimeUnixNano))
  }
  const sent = bodies.join('')
  assert.doesNotMatch(sent, /eyJ/)
  assert.equal(sent.includes(access_token.split('.')[2] ?? '?'), false)
})

test('a refusal is told by its reason, also where the form could not be read', async (t) => {
  const { endpoint, spans } = await collector(t)
  const { ask, running } = await tracing(t, endpoint)
  await ask({ scope: 'trades:write' })
  await ask({ grant_type: 'password' })
  await running.close()
  const told = spans()
    .filter(({ parentSpanId }) => !parentSpanId)
    .map((span) => [
      attributesOf(span)['countersign.reason'],
      attributesOf(span)['http.response.status_code'],
      span.status.code ?? 0,
    ])
  assert.deepEqual(told, [
    ['policy_denied', 400, 0],
    ['grant_type_unsupported', 400, 0],
  ])
})

test('a caller’s trace is linked, never continued; a malformed one is as if it were not there', async (t) => {
  const { endpoint, spans } = await collector(t)
  const { ask, running } = await tracing(t, endpoint)
  const [traceId, spanId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331']
  for (const traceparent of [
    `00-${traceId}-${spanId}-01`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId}-${spanId}-01-more`,
    `ff-${traceId}-${spanId}-01`,
    'x'.repeat(500),
  ]) {
    assert.equal((await ask({}, { traceparent })).status, 200)
  }
  await running.close()
  const roots = spans().filter(({ parentSpanId }) => !parentSpanId)
  assert.equal(roots.length, 6)
  assert.deepEqual(
    roots.map(({ links = [] }) => links.map((link) => [link.traceId, link.spanId])),
    [[[traceId, spanId]], [], [], [], [], []],
  )
  assert.ok(roots.every((span) => span.traceId !== traceId))
})

test('the ratio decides, not the caller’s sampled flag', async (t) => {
  const { endpoint, spans } = await collector(t)
  const { ask, running } = await tracing(t, endpoint, 0)
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  assert.equal((await ask({}, { traceparent })).status, 200)
  await running.close()
  assert.deepEqual(spans(), [])
})

test('a collector that fails or is not there costs no request, and is told once', async (t) => {
  for (const endpoint of [(await collector(t, 400)).endpoint, 'http://127.0.0.1:1/v1/traces']) {
    const { ask, running, log } = await tracing(t, endpoint)
    assert.equal((await ask()).status, 200)
    assert.equal((await ask()).status, 200)
    await running.close()
    if (!endpoint.includes(':1/')) {
      assert.equal(log().split('traces cannot be sent').length, 2, log())
    }
  }
})
