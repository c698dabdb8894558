/** A TLS handshake with an X.509-SVID: what a listener that asks for certificates sees of its caller. */

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
import type { X509Svid } from '../../src/agent/index.ts'
import { selfSigned } from '../world/certificate.ts'

/**
 * Opens one connection with an SVID. The caller has proved the leaf's key once the server says that it is there;
 * who vouches for the chain is not the server's matter.
 * @returns the chain as evidence, leaf first
 */
export async function shownBy({ cert, key }: X509Svid): Promise<string> {
  const own = selfSigned('countersign.example')
  const server = createServer({ ...own, requestCert: true, rejectUnauthorized: false })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = connect({ host: '127.0.0.1', port, cert, key, rejectUnauthorized: false })
  try {
    const [socket] = (await once(server, 'secureConnection')) as [TLSSocket]
    const chain = chainOf(socket.getPeerCertificate(true))
    socket.destroy()
    return chain.map((der) => der.toString('base64')).join('.')
  } finally {
    client.destroy()
    server.close()
  }
}

/** A root is its own issuer. */
function chainOf(certificate: DetailedPeerCertificate): readonly Buffer[] {
  const { raw, issuerCertificate: issuer } = certificate
  const isLast = issuer === undefined || issuer.raw.equals(raw)
  return isLast ? [raw] : [raw, ...chainOf(issuer)]
}
