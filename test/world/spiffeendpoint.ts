/** A bundle endpoint of the profile `https_spiffe`, and the authority that gives it its X.509-SVID. */

import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import {
  AUTHORITY,
  alternativeNames,
  type Certificate,
  certify,
  type Extension,
  type Validity,
} from './certificate.ts'
import { type FakeSpire, TRUST_DOMAIN } from './spiffe.ts'

export const ENDPOINT_ID = `spiffe://${TRUST_DOMAIN}/spire/server`

/** The alternative names of an X.509-SVID. */
export type Names = Parameters<typeof alternativeNames>[0]

/** An X.509 authority of a trust domain. */
export class Authority {
  readonly root: string
  private readonly name: string
  private readonly privateKey: KeyObject

  constructor(name: string) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.name = name
    this.privateKey = privateKey
    const extensions = [AUTHORITY, alternativeNames([['uri', `spiffe://${TRUST_DOMAIN}`]])]
    const [subject, issuer] = [name, name]
    this.root = certify({ subject, issuer, holder: publicKey, signer: privateKey, extensions })
  }

  /** A server certificate with these names. */
  issue(
    names: Names = [['uri', ENDPOINT_ID]],
    validity: Validity = {},
    further: readonly Extension[] = [],
  ): Certificate {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const cert = certify({
      ...validity,
      subject: 'server',
      issuer: this.name,
      holder: publicKey,
      signer: this.privateKey,
      extensions: [alternativeNames(names), ...further],
    })
    return { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
  }
}

/** A session stays good whatever certificate the server shows by then; in TLS 1.2 it is offered in the handshake. */
const RESUMABLE = { maxVersion: 'TLSv1.2', ticketKeys: Buffer.alloc(48, 7) } as const

/** Serves what a trust domain publishes, over TLS. It offers every caller to resume the session. */
export class SpiffeEndpoint {
  /** Whether each connection that asked had resumed an earlier one. */
  readonly resumed: boolean[] = []
  private readonly server: Server

  constructor(spire: FakeSpire, certificate: Certificate) {
    this.server = createServer({ ...certificate, ...RESUMABLE }, ({ socket }, response) => {
      this.resumed.push((socket as TLSSocket).isSessionReused())
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(spire.bundle()))
    })
  }

  async listen(t: TestContext): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve))
    t.after(async () => {
      this.server.closeAllConnections()
      await new Promise((resolve) => this.server.close(resolve))
    })
    return this
  }

  get url(): string {
    return `https://127.0.0.1:${(this.server.address() as AddressInfo).port}/`
  }

  /** Shows another certificate from now on. Sessions that were begun before can still be resumed. */
  show(certificate: Certificate): void {
    this.server.setSecureContext({ ...certificate, ...RESUMABLE })
  }
}
