/** What the schemas of the settings are built of. */

import Type, { type TSchema } from 'typebox'
import { DURATION_PATTERN } from '../units.ts'

/** An object without further members. */
export const strict = { additionalProperties: false }

/** A short name, as entries and groups have. */
export const NAME = '^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$'

/** How messages say it. */
export const NAME_TITLE = 'a name of at most 63 letters, digits, dots, dashes and underscores'

export const text = (description: string) =>
  Type.String({ minLength: 1, maxLength: 2048, description })

/** A path; relative ones start at the configuration's folder. */
export const filePath = (description: string) =>
  Type.String({ minLength: 1, maxLength: 2048, format: 'path', description })

export const port = (fallback: number) =>
  Type.Integer({ minimum: 0, maximum: 65_535, default: fallback })

export const duration = (fallback: string, description: string) =>
  Type.String({ pattern: DURATION_PATTERN, default: fallback, description })

/** A mapping from names to parts of one kind. */
export const named = <Part extends TSchema>(part: Part) =>
  Type.Record(Type.String({ pattern: NAME }), part, strict)
