/** The attestor of one AWS account: its tokens, and what EC2 says of the instances that they name. */

import type { Attestor, Identity, Prepared, TrustCommon } from '../../src/identity.ts'
import { keyReader } from '../../src/net/keyreader.ts'
import { jwtAttestor } from '../jwt.ts'
import { NITRO_FORMAT, nitroEvidence } from '../nitro/evidence.ts'
import { type AwsWorld, type Posture, postureOf } from './posture.ts'
import { ALGORITHMS, type AwsSettings, jwksOf } from './settings.ts'
import { webIdentity } from './webidentity.ts'

/** @param settings as `checkAws` found nothing wrong with */
export function awsAttestor(settings: AwsSettings, common: TrustCommon, world: AwsWorld): Attestor {
  const { account, issuer, nitro, posture } = settings
  const tokens = jwtAttestor(
    {
      ...common,
      kind: 'aws',
      issuers: [issuer],
      algorithms: ALGORITHMS,
      readKeys: keyReader(jwksOf(settings), issuer, world.door),
      profile: webIdentity(settings, common),
      ...(nitro && { second: new Map([[NITRO_FORMAT, nitroEvidence(nitro)]]) }),
    },
    world,
  )
  return posture === undefined ? tokens : withPosture(tokens, postureOf(posture, account, world))
}

function withPosture(tokens: Attestor, posture: Posture): Attestor {
  return {
    ...tokens,
    async prepare(jwt, nowSeconds): Promise<Prepared> {
      const proof = await tokens.prepare(jwt, nowSeconds)
      // A token that does not hold drives no request.
      const held = proof.verify(nowSeconds)
      const arn = signedInstance(held)
      if (arn === null) return proof
      const known = await posture.factsOf(arn)
      return {
        verify(now) {
          // What held at this second holds at this second.
          const identity = now === nowSeconds ? held : proof.verify(now)
          // What is signed stays as it is signed.
          return { ...identity, facts: { ...known, ...identity.facts } }
        },
      }
    },
    health: () => ({ ...tokens.health(), cluster: [posture.health()] }),
  }
}

/** The instance that STS itself put into the token. A session's name can be anybody's choice and is not looked at. */
function signedInstance({ facts }: Identity): string | null {
  const fact = facts['ec2.instanceArn']
  return fact?.grade === 'A' && typeof fact.value === 'string' ? fact.value : null
}
