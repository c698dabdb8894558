/** `countersign doctor` on the store and the signing keys in it. Nothing is made or changed by looking. */

import { existsSync, readFileSync } from 'node:fs'
import { IN_MEMORY } from '../../config/paths.ts'
import type { Config } from '../../config.ts'
import { type KeyLife, storedLives } from '../../keylife.ts'
import { openAll } from '../../keys.ts'
import { openStore } from '../../opening.ts'
import { sealer } from '../../seal.ts'
import { secretPath } from '../../secret.ts'
import type { KeyRecord } from '../../store/store.ts'
import { doubtful, type Finding, well, wrong } from './finding.ts'

const ABOUT = 'signing keys'
const DAY_SECONDS = 86_400

/** @param now epoch seconds */
export async function examineStore(config: Config, now: number): Promise<readonly Finding[]> {
  const about = 'store'
  const path = 'sqlite' in config.store ? config.store.sqlite : null
  if (path === IN_MEMORY) {
    return [
      doubtful(
        about,
        'is in memory',
        'Name a file or a database, or all is forgotten at a restart.',
      ),
    ]
  }
  if (path !== null && !existsSync(path)) {
    const advice = 'The broker makes it at its first start; if it has run, look at the volume.'
    return [doubtful(about, `there is none at ${path} yet`, advice)]
  }
  try {
    const store = await openStore(config)
    try {
      const records = await store.listKeys()
      return [
        well(about, 'answers, and this version can work with it'),
        examineKeys(config, records, await storedLives(store, now), now),
      ]
    } finally {
      await store.close()
    }
  } catch (error) {
    const advice =
      path === null
        ? 'Look at the database, the network policy, and user and password in store.postgres.'
        : 'Look at the volume: its owner, its free space, and whether it is mounted.'
    return [wrong(about, (error as Error).message, advice)]
  }
}

function examineKeys(
  config: Config,
  records: readonly KeyRecord[],
  lives: readonly KeyLife[],
  now: number,
): Finding {
  const signing = lives.find(({ state }) => state === 'signing')
  if (signing === undefined) {
    return doubtful(ABOUT, 'there is none yet', 'The broker makes the first when it starts.')
  }
  const secret = secretOf(config)
  if (secret === null) {
    const advice = 'Restore it from a backup; without it the broker cannot sign.'
    return wrong(ABOUT, 'the secret beside the database is missing', advice)
  }
  try {
    openAll(records, sealer(secret, 'signing keys'))
  } catch (error) {
    return wrong(ABOUT, (error as Error).message, 'Give the secret that this store was made with.')
  }
  const age = Math.max(0, now - signing.signsFrom)
  const next = lives.some(({ state }) => state === 'next')
  const text = `${signing.kid} signs since ${days(age)}; ${next ? 'the next one is published' : 'no next one yet'}`
  // It is published half an interval before at the latest; a day late is more than one missed look.
  if (!next && age > config.keys.rotateEverySeconds + DAY_SECONDS) {
    return wrong(
      ABOUT,
      text,
      'Rotation is overdue: is a broker running on this store, and may it write?',
    )
  }
  return well(ABOUT, text)
}

function days(seconds: number): string {
  return seconds < DAY_SECONDS ? 'less than a day' : `${Math.floor(seconds / DAY_SECONDS)} days`
}

function secretOf({ keys, store }: Config): string | null {
  if (keys.secret !== null) return keys.secret.reveal()
  if (!('sqlite' in store)) return null
  const path = secretPath(store.sqlite)
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : null
}
