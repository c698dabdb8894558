/** What is known of a platform, so that nobody has to find out its traps again. Types only. */

import type { JsonObject } from '../../src/net/json.ts'
import type { JwksSettings } from '../../src/net/keyreader.ts'
import type { ClaimSchema } from './typed.ts'

/** One platform that signs OpenID Connect tokens for what runs on it. */
export type Preset = {
  /**
   * The Cedar type of its workloads; a row of `src/policy/platforms.ts` has its attributes. Null where tokens say
   * something of a machine and nothing of who asks: such results serve only beside a first evidence.
   */
  readonly principal: string | null
  /** The issuers it can have, and how to say so. */
  readonly issuers: RegExp
  readonly issuersSaid: string
  /** Those of them that sign for all customers of the platform: no entry may call one `dedicated`. */
  readonly shared: RegExp
  /** At a shared issuer `require` has to name one of these: ids of a customer that nobody else gets. */
  readonly discriminators: readonly string[]
  /** `require` has to name every one of these, at any issuer. */
  readonly pins: readonly string[]
  /** The claims it documents, for finding slips in `require` and `subject`. */
  readonly claims: readonly string[]
  readonly facts: ClaimSchema
  /** Made of ids that stay when something is renamed. Of a result: the machine that it is about. */
  readonly subject: string
  /** What a revocation can name: its kind, and the place of the id. */
  readonly lineage: Readonly<Record<string, string>>
  readonly maxLifetime: string
  /** `once` only where the platform mints a token for each request, and then with a `jti`. */
  readonly replay: 'once' | 'reusable'
  /** Where the keys are, if discovery does not say. */
  readonly jwks?: (issuer: string) => JwksSettings
  /** Its keys are published as certificates alone (`x5c` without `n` and `e`). */
  readonly keysAreCertificates?: true
  /** What its tokens are for when nobody asked for an audience; null where it has none. */
  readonly defaultAudience: RegExp | null
  /** An audience that the platform fixes, so that it cannot be ours; null where a workload may choose. */
  readonly fixedAudience: RegExp | null
  /** How a workload gets a token for an audience, for whoever reads the refusal. */
  readonly request: string
  /** The `act` of its tokens is something else than a chain of actors (RFC 8693 §4.1), and `check` judges it. */
  readonly hasOwnAct?: true
  /** Where the platform puts what the workload had it sign; undefined where it cannot. */
  readonly challenge?: (claims: JsonObject) => readonly unknown[]
  /** Header members that the platform sends and that nobody here reads. */
  readonly unread?: readonly 'jku'[]
  /** What else has to hold. @throws Refusal */
  readonly check?: (claims: JsonObject) => void
}
