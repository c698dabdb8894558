/**
 * Which certificates a request shows, and whose they are. A connection belongs to whoever opened it: a trusted proxy's
 * own certificate says nothing about the client behind it, and the headers in which it forwards the client's
 * (RFC 9440) say nothing when anybody else sends them.
 */

import type { X509Certificate } from 'node:crypto'
import { BlockList } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { FastifyRequest } from 'fastify'
import type { ListenConfig } from '../config/server.ts'
import { Refusal } from '../refusal.ts'
import { plainAddress } from './address.ts'
import { parseClientCert, parseClientCertChain } from './clientcert.ts'

/** What a request shows of certificates, unverified. */
export type ShownCertificates = {
  /** DER, leaf first; empty for none. Whoever opened the client's connection holds the leaf's key. */
  readonly chain: readonly Buffer[]
  /** Whether they may say by themselves who the caller is, and not only bind what it gets. */
  readonly identifies: boolean
}

/** @throws Refusal `certificate_malformed` */
export type ReadCertificates = (request: FastifyRequest) => ShownCertificates

/** What is read of a chain. The longest that people use have five certificates of some 2 kB each. */
const MAX_CERTIFICATES = 8
const MAX_BYTES = 32 * 1024

/** What a header may be where proxies forward certificates: those bytes in base64, and everything else. */
export const MAX_FORWARDED_HEADER_BYTES = 64 * 1024

const NONE: ShownCertificates = { chain: [], identifies: false }

/** @param rules which proxies are trusted, and how far their headers are believed */
export function certificateReader(
  rules: Pick<ListenConfig, 'trustedProxies' | 'clientCertHeader'>,
): ReadCertificates {
  const { trustedProxies, clientCertHeader } = rules
  if (trustedProxies.length === 0) return (request) => fromConnection(request)
  const proxies = networks(trustedProxies)
  return (request) => {
    if (!isAmong(proxies, request.socket.remoteAddress)) return fromConnection(request)
    if (clientCertHeader === 'ignore') return NONE
    return fromHeaders(request, clientCertHeader === 'identify')
  }
}

/** The handshake has proved the key of the leaf, and nothing else about any of them. */
function fromConnection({ socket }: FastifyRequest): ShownCertificates {
  const { getPeerX509Certificate } = socket as Partial<TLSSocket>
  const chain: Buffer[] = []
  let next: X509Certificate | undefined = getPeerX509Certificate?.call(socket)
  for (; next !== undefined && chain.length <= MAX_CERTIFICATES; next = next.issuerCertificate) {
    chain.push(next.raw)
  }
  return chain.length === 0 ? NONE : { chain: bounded(chain), identifies: true }
}

function fromHeaders({ headers }: FastifyRequest, identifies: boolean): ShownCertificates {
  const { 'client-cert': leaf, 'client-cert-chain': others } = headers
  if (typeof leaf !== 'string') {
    if (others === undefined) return NONE
    const problem = 'Client-Cert-Chain without Client-Cert (RFC 9440 §2.3)'
    throw new Refusal('certificate_malformed', { problem })
  }
  const chain = [parseClientCert(leaf), ...parseClientCertChain(String(others ?? ''))]
  return { chain: bounded(chain), identifies }
}

function bounded(chain: readonly Buffer[]): readonly Buffer[] {
  const bytes = chain.reduce((sum, { length }) => sum + length, 0)
  if (chain.length <= MAX_CERTIFICATES && bytes <= MAX_BYTES) return chain
  throw new Refusal('certificate_malformed', {
    problem: 'too many certificates, or too long ones',
    maxCertificates: MAX_CERTIFICATES,
    maxBytes: MAX_BYTES,
  })
}

/** @param cidrs as the configuration has checked them */
function networks(cidrs: readonly string[]): BlockList {
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [address = '', length] = cidr.split('/')
    list.addSubnet(address, Number(length), address.includes(':') ? 'ipv6' : 'ipv4')
  }
  return list
}

function isAmong(list: BlockList, socketAddress: string | undefined): boolean {
  const address = plainAddress(socketAddress ?? '')
  return address !== null && list.check(address, address.includes(':') ? 'ipv6' : 'ipv4')
}
