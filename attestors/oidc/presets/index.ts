/** The table of presets: a platform is a file beside this one, and a line here. */

import type { Preset } from '../preset.ts'
import { azureAttestation } from './azure-attestation.ts'
import { buildkite } from './buildkite.ts'
import { circleci } from './circleci.ts'
import { confidentialSpace } from './confidential-space.ts'
import { flyio } from './flyio.ts'
import { github } from './github.ts'
import { gitlab } from './gitlab.ts'
import { terraform } from './terraform.ts'
import { vercel } from './vercel.ts'

export const PRESETS = {
  github,
  gitlab,
  flyio,
  vercel,
  terraform,
  buildkite,
  circleci,
  'confidential-space': confidentialSpace,
  'azure-attestation': azureAttestation,
} as const satisfies Readonly<Record<string, Preset>>

/** The value of `preset` in an entry. */
export type PresetName = keyof typeof PRESETS

/** Every name, for the configuration schema. */
export const PRESET_NAMES = Object.keys(PRESETS) as readonly PresetName[]
