/** What a trust entry says of enclaves and measured instances, and what the schema of it cannot say. */

import { type Static, Type } from 'typebox'
import type { Report } from '../../src/identity.ts'
import { type MeasurementRules, NOTHING } from './registers.ts'

const Registers = (description: string) =>
  Type.Record(
    Type.String({ pattern: '^([0-9]|[12][0-9]|3[01])$' }),
    Type.Array(
      Type.String({
        pattern: '^[0-9a-f]{96}$',
        title: 'a register: 96 hexadecimal digits in lower case',
      }),
      { minItems: 1, uniqueItems: true },
    ),
    { additionalProperties: false, minProperties: 1, description },
  )

/** JSON Schema of the measurements that an entry allows. */
export const NitroSettings = Type.Object(
  {
    enclave: Type.Optional(
      Registers(
        'Enclaves: the values that PCRs may have, by their number. 0 is the image, 8 the certificate that signed it.',
      ),
    ),
    tpm: Type.Optional(
      Registers(
        'Instances with a NitroTPM: the values that PCRs may have, by their number. 4 is the boot loader, 7 secure boot.',
      ),
    ),
    roots: Type.Optional(
      Type.Array(Type.String({ pattern: '^[0-9a-f]{64}$' }), {
        minItems: 1,
        maxItems: 8,
        uniqueItems: true,
        description:
          "SHA-256 fingerprints of the roots that are believed, in place of AWS's own: only for hardware of your own. Default: that of AWS.",
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'Take attestation documents of Nitro Enclaves and NitroTPM beside the token. Default: refused.',
  },
)
export type NitroSettings = Static<typeof NitroSettings>

/** Registers that say what code runs: of the others, some can be extended by whoever rules the machine. */
const TELLING = { enclave: ['0', '1', '2', '8'], tpm: ['4', '7', '11', '12'] } as const

/** Reports rules that would allow everything, or nothing. */
export function checkNitro(settings: NitroSettings, report: Report): void {
  if (settings.enclave === undefined && settings.tpm === undefined) {
    report([], 'must name the registers of `enclave` or of `tpm`')
  }
  for (const kind of ['enclave', 'tpm'] as const) {
    const rules = Object.entries(settings[kind] ?? {})
    const telling: readonly string[] = TELLING[kind]
    if (rules.length > 0 && !rules.some(([index]) => telling.includes(index))) {
      report([kind], `must name one of ${telling.join(', ')}: the others do not say what code runs`)
    }
    for (const [index, values] of rules) {
      const at = values.indexOf(NOTHING)
      if (at >= 0)
        report([kind, index, at], 'is what a register holds that nothing was measured into')
    }
  }
}

/** The rules that the settings call for. */
export function rulesOf({ enclave, tpm }: NitroSettings): MeasurementRules {
  return { ...(enclave && { enclave }), ...(tpm && { tpm }) }
}
