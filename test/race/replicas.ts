/**
 * Two replicas of one issuer: separate processes, started as `countersign serve`, on one private PostgreSQL, with a
 * cluster whose pods they trust. For what may happen only once, or has to be seen on the other side.
 */

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../../src/cli/ports.ts'
import { type StandIn, type StandInPod, standIn } from '../../src/cli/standin.ts'
import { type Replica, startReplica } from '../chaos/replica.ts'
import { startPostgres } from '../postgres/server.ts'

export const RESOURCE = 'https://mcp.example.com'

/** Whom the policies let read. */
const READER: StandInPod = { namespace: 'payments', serviceAccount: 'settlement' }

const POLICY = `@id("read") @owner("x") permit (principal in Cluster::"prod-eu",
  action == Action::"trades:read", resource == Audience::"${RESOURCE}");`

/** What the replicas have beside the settings of every site, in flow style, as in `Site`. */
export type ReplicasOptions = {
  readonly trust?: string
  readonly served?: string
  /** Cedar, in place of the policy that lets every pod read. */
  readonly policies?: string
}

export type Replicas = {
  /** Also the origin of the first. Proofs name its endpoints, whichever replica they go to. */
  readonly issuer: string
  readonly both: readonly [Replica, Replica]
  readonly cluster: StandIn
  /** What commands need that read a replica's `config`. */
  readonly env: Readonly<Record<string, string>>
  /** A new platform token for the issuer, good for ten minutes. */
  mint(pod?: StandInPod): string
  /** Ends all of it. */
  close(): Promise<void>
}

/** Starts both and waits until they serve. */
export async function startReplicas(options: ReplicasOptions = {}): Promise<Replicas> {
  const cleanup: (() => unknown)[] = []
  const close = async () => {
    for (const end of cleanup.splice(0).reverse()) await end()
  }
  try {
    const server = await startPostgres()
    cleanup.push(() => server.close())
    const folder = mkdtempSync(join(tmpdir(), 'countersign-race-'))
    cleanup.push(() => rmSync(folder, { recursive: true, force: true }))
    const cluster = await standIn()
    cleanup.push(() => cluster.close())
    const policies = join(folder, 'read.cedar')
    writeFileSync(policies, options.policies ?? POLICY)
    const env = {
      DATABASE_URL: await server.database(),
      KEYS_SECRET: randomBytes(32).toString('base64url'),
    }
    const [first = 0, second = 0, firstAdmin = 0, secondAdmin = 0] = await freePorts(4)
    const issuer = `http://127.0.0.1:${first}`
    const site = { ...options, folder, issuer, clusterIssuer: cluster.issuer, resource: RESOURCE }
    const start = async (port: number, admin: number) => {
      const replica = await startReplica({ ...site, policies, env }, port, admin)
      cleanup.push(() => replica.stop())
      return replica
    }
    const both = await Promise.all([start(first, firstAdmin), start(second, secondAdmin)])
    const mint = (pod = READER) => {
      const issuedAt = Math.floor(Date.now() / 1000)
      return cluster.token(pod, { audience: issuer, issuedAt, lifetime: 600 })
    }
    return { issuer, both, cluster, env, mint, close }
  } catch (error) {
    await close()
    throw error
  }
}
