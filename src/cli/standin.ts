/**
 * A stand-in for a cluster: it signs service-account tokens of the exact shape that a Kubernetes API server signs, and
 * serves its keys where one serves them. For `dev` and the demo, where everything else is the real thing.
 */

import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A pod of the stand-in cluster. */
export type StandInPod = { readonly namespace: string; readonly serviceAccount: string }

/** What a token is minted for. */
export type StandInRequest = {
  readonly audience: string
  /** Epoch seconds. */
  readonly issuedAt: number
  /** Seconds, as `expirationSeconds` of a projected volume. */
  readonly lifetime: number
}

/** A running stand-in. */
export type StandIn = {
  /** `iss` of its tokens, and where its discovery document is. */
  readonly issuer: string
  token(pod: StandInPod, request: StandInRequest): string
  close(): void
}

/** Starts a stand-in cluster on a free loopback port. */
export async function standIn(): Promise<StandIn> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const der = publicKey.export({ format: 'der', type: 'spki' })
  const kid = createHash('sha256').update(der).digest('base64url')
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }
  const uids = new Map<string, string>()
  const uid = (object: string) => uids.get(object) ?? remember(uids, object)

  let issuer = ''
  const server = createServer((request, response) => {
    const document = {
      '/.well-known/openid-configuration': { issuer, jwks_uri: `${issuer}/openid/v1/jwks` },
      '/openid/v1/jwks': { keys: [jwk] },
    }[request.url ?? '']
    response.writeHead(document ? 200 : 404, { 'content-type': 'application/json' })
    response.end(JSON.stringify(document ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    issuer,
    token({ namespace, serviceAccount }, { audience, issuedAt, lifetime }) {
      const pod = `${serviceAccount}-7d9f4`
      const claims = {
        aud: [audience],
        exp: issuedAt + lifetime,
        iat: issuedAt,
        iss: issuer,
        jti: randomUUID(),
        'kubernetes.io': {
          namespace,
          node: { name: 'node-1', uid: uid('node-1') },
          pod: { name: pod, uid: uid(`${namespace}/${pod}`) },
          serviceaccount: { name: serviceAccount, uid: uid(`sa/${namespace}/${serviceAccount}`) },
        },
        nbf: issuedAt,
        sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
      }
      const input = `${encode({ alg: 'RS256', kid })}.${encode(claims)}`
      return `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`
    },
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

function remember(uids: Map<string, string>, object: string): string {
  const uid = randomUUID()
  uids.set(object, uid)
  return uid
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
