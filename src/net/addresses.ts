/**
 * Which network an IP address belongs to (IANA special-purpose registries, RFC 6890). An SSRF guard looks at addresses, after
 * resolution: a name says nothing about where it leads.
 */

import { BlockList, isIP } from 'node:net'

/**
 * - `public`: globally routable;
 * - `private`: loopback and private use, reachable where an operator says so (`allowPrivate`);
 * - `special`: never a service of ours: link-local and cloud metadata, multicast, tunnels, documentation.
 */
export type Network = 'public' | 'private' | 'special'

const PRIVATE = ['10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16']
const PRIVATE_V6 = ['::1/128', 'fc00::/7']

const SPECIAL = [
  '0.0.0.0/8',
  '100.100.100.200/32', // Alibaba Cloud metadata
  '168.63.129.16/32', // Azure wire server: metadata behind a public address
  '169.254.0.0/16', // link-local, with the metadata service of every other cloud
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3', // multicast, reserved, broadcast
]
const SPECIAL_V6 = [
  '2001::/23', // IETF protocol assignments, Teredo
  '2001:db8::/32',
  '2002::/16', // 6to4: an IPv4 address in disguise
  '3fff::/20',
  'fd00:ec2::254/128', // AWS metadata
  'fd20:ce::254/128', // Google Cloud metadata
]

/** Everything else in IPv6 is unassigned, link-local, multicast or a tunnel. */
const GLOBAL_V6 = ['2000::/3']

/** Prefixes that carry an IPv4 address, which is judged as such: IPv4-mapped, NAT64 (RFC 6052 §2.1). */
const CARRIERS = ['::ffff:', '64:ff9b::']

const special = blockList([...SPECIAL, ...SPECIAL.flatMap(carried), ...SPECIAL_V6])
const privateUse = blockList([...PRIVATE, ...PRIVATE.flatMap(carried), ...PRIVATE_V6])
const global = blockList([...GLOBAL_V6, ...carried('0.0.0.0/0')])

/** Classifies an address in text form. What is not an address, or has a zone, is `special`. */
export function networkOf(address: string): Network {
  const version = isIP(address)
  if (version === 0 || address.includes('%')) return 'special'
  const family = version === 4 ? 'ipv4' : 'ipv6'
  if (special.check(address, family)) return 'special'
  if (privateUse.check(address, family)) return 'private'
  return version === 4 || global.check(address, family) ? 'public' : 'special'
}

function carried(range: string): readonly string[] {
  const [address, bits] = range.split('/')
  return CARRIERS.map((prefix) => `${prefix}${address}/${96 + Number(bits)}`)
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', bits] = range.split('/')
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}
