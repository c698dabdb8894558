/** URLs and hosts in one spelling: they are compared byte by byte, here and by everyone who verifies. */

import { BlockList, isIP } from 'node:net'
import { canonicalUri } from '../uri.ts'
import { quote } from './findings.ts'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Whether a host name or address (IPv6 with or without brackets) only ever means this machine. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1')
  const version = isIP(address)
  if (version === 0) return host === 'localhost'
  return loopback.check(address, version === 4 ? 'ipv4' : 'ipv6')
}

/** What is wrong with a host to listen on, as the end of a sentence; or undefined. */
export function hostFault(host: string): string | undefined {
  if (isIP(host) !== 0 || /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(host)) return undefined
  return `is ${quote(host)}, not an address or host name (an IPv6 address stands without brackets)`
}

/** What is wrong with our own issuer identifier (RFC 8414 §2), as the end of a sentence; or undefined. */
export function issuerFault(text: string): string | undefined {
  const url = URL.parse(text)
  if (url === null || !/^https?:\/\//i.test(text)) {
    return `is ${quote(text)}, not an https URL`
  }
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password'
  if (text.includes('?')) return 'must not have a query (?)'
  if (text.includes('#')) return 'must not have a fragment (#)'
  if (text.endsWith('/')) return 'must not end with a slash: it is compared byte by byte'
  const canonical = canonicalUri(text)
  if (canonical !== text) return `must be written ${quote(canonical ?? url.origin)}`
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    return 'must begin with https://; http is only for a loopback host'
  }
  return undefined
}

/** What is wrong with a network in CIDR notation, as the end of a sentence; or undefined. */
export function cidrFault(text: string): string | undefined {
  const [, address = '', length = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? []
  const version = address.includes('%') ? 0 : isIP(address)
  const bits = version === 4 ? 32 : 128
  if (version === 0 || Number(length) > bits) {
    return `is ${quote(text)}, not a network such as 10.0.0.0/8, 192.0.2.7/32 or fd00::/8`
  }
  // Behind /0 any caller would be a proxy, and could name any source address and client certificate.
  return Number(length) === 0
    ? `is ${quote(text)}: every caller would be a trusted proxy`
    : undefined
}
