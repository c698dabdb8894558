/** Writes small databases in MaxMind's DB format, version 2.0: search tree, data section, metadata. */

/** A value that such a database can hold. Numbers are unsigned and at most 32 bits, bigints at most 64. */
export type MmdbValue =
  | string
  | number
  | bigint
  | readonly MmdbValue[]
  | { readonly [name: string]: MmdbValue }

/** What to write. */
export type MmdbOptions = {
  /** `GeoLite2-Country`, say. */
  readonly type: string
  /** Epoch seconds. */
  readonly builtAt: number
  readonly ipVersion?: 4 | 6
  /** Records by network: `81.2.69.160/27`, `2a02:cf40::/29`. No network may hold another. */
  readonly networks: Readonly<Record<string, MmdbValue>>
}

/** A node of the search tree: where a 0 and a 1 lead. A string is a network whose record is the answer. */
type Node = [Node | string | null, Node | string | null]

const RECORD_BITS = 32
const SEPARATOR = Buffer.alloc(16)
const MARKER = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1')

/** The bytes of a database. */
export function mmdb({ type, builtAt, ipVersion = 6, networks }: MmdbOptions): Buffer {
  const root: Node = [null, null]
  for (const network of Object.keys(networks)) insert(root, bitsOf(network, ipVersion), network)
  const data: Buffer[] = []
  const offsets = new Map<string, number>()
  for (const [network, value] of Object.entries(networks)) {
    offsets.set(network, Buffer.concat(data).length)
    data.push(encode(value))
  }
  const nodes = listed(root)
  const record = (target: Node | string | null): Buffer => {
    const bytes = Buffer.alloc(RECORD_BITS / 8)
    if (target === null) bytes.writeUInt32BE(nodes.length)
    else if (typeof target !== 'string') bytes.writeUInt32BE(nodes.indexOf(target))
    else bytes.writeUInt32BE(nodes.length + SEPARATOR.length + (offsets.get(target) ?? 0))
    return bytes
  }
  const metadata = {
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: BigInt(builtAt),
    database_type: type,
    description: { en: 'a test' },
    ip_version: ipVersion,
    languages: ['en'],
    node_count: nodes.length,
    record_size: RECORD_BITS,
  }
  return Buffer.concat([
    ...nodes.flatMap((node) => node.map(record)),
    SEPARATOR,
    ...data,
    MARKER,
    encode(metadata),
  ])
}

function insert(root: Node, bits: readonly number[], network: string): void {
  let node = root
  for (const [depth, bit] of bits.entries()) {
    const side = bit === 0 ? 0 : 1
    const next = node[side]
    if (typeof next === 'string') throw new Error(`${next} holds ${network}`)
    if (depth === bits.length - 1) {
      node[side] = network
      return
    }
    const below: Node = next ?? [null, null]
    node[side] = below
    node = below
  }
}

function listed(root: Node): Node[] {
  const nodes = [root]
  for (const node of nodes) {
    for (const side of node) if (side !== null && typeof side !== 'string') nodes.push(side)
  }
  return nodes
}

/** The prefix, bit by bit. IPv4 is at ::/96 of an IPv6 tree. */
function bitsOf(network: string, ipVersion: 4 | 6): number[] {
  const [address = '', length = ''] = network.split('/')
  const bytes = address.includes(':') ? v6(address) : address.split('.').map(Number)
  const bits = bytes.flatMap((byte) => [...byte.toString(2).padStart(8, '0')].map(Number))
  const padding = ipVersion === 6 && bits.length === 32 ? 96 : 0
  return [...Array<number>(padding).fill(0), ...bits.slice(0, Number(length))]
}

function v6(address: string): number[] {
  const [head = '', tail = ''] = address.split('::')
  const words = (text: string) => (text === '' ? [] : text.split(':').map((w) => parseInt(w, 16)))
  const [before, after] = [words(head), words(tail)]
  const zeros = Array<number>(8 - before.length - after.length).fill(0)
  return [...before, ...zeros, ...after].flatMap((word) => [word >> 8, word & 255])
}

/** The types of the data section; those over 7 are written in an extended control byte. */
const TYPES = { string: 2, uint32: 6, map: 7, uint64: 9, array: 11 } as const

function encode(value: MmdbValue): Buffer {
  if (typeof value === 'string') return field('string', Buffer.from(value))
  if (typeof value === 'number') return field('uint32', unsigned(BigInt(value)))
  if (typeof value === 'bigint') return field('uint64', unsigned(value))
  if (Array.isArray(value)) {
    return Buffer.concat([control('array', value.length), ...value.map(encode)])
  }
  const entries = Object.entries(value)
  const pairs = entries.flatMap(([name, part]) => [encode(name), encode(part)])
  return Buffer.concat([control('map', entries.length), ...pairs])
}

function field(type: keyof typeof TYPES, bytes: Buffer): Buffer {
  return Buffer.concat([control(type, bytes.length), bytes])
}

function control(type: keyof typeof TYPES, size: number): Buffer {
  const [number, long] = [TYPES[type], size >= 29]
  const first = ((number > 7 ? 0 : number) << 5) | (long ? 29 : size)
  const extended = number > 7 ? [number - 7] : []
  return Buffer.from([first, ...extended, ...(long ? [size - 29] : [])])
}

function unsigned(value: bigint): Buffer {
  const hex = value === 0n ? '' : value.toString(16)
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
}
