/**
 * The virtual machine in a Google identity token: `google.compute_engine`, which Google's own keys alone can
 * vouch for. No I/O. No clock.
 */

import { isObject, type JsonObject } from '../../src/net/json.ts'
import { invalidClaim, type TextForm, textOf } from '../claims.ts'
import type { Values } from '../facts.ts'

export type Instance = {
  readonly project: string
  readonly projectNumber: string
  readonly facts: Values
  readonly lineage: string
}

const CLAIM = 'google.compute_engine'
const PROJECT: TextForm = {
  form: /^(?:[a-z0-9.-]{1,100}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/,
  said: 'the id of a project',
}
// Above 2^53, so that a JSON number would name a neighbour.
const ID: TextForm = { form: /^[0-9]{1,20}$/, said: 'digits in a string' }
const NAME: TextForm = { form: /^[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?$/, said: 'an instance name' }
const ZONE: TextForm = { form: /^[a-z][a-z0-9-]{2,62}$/, said: 'the name of a zone' }

/**
 * The machine that the token was asked for on; null where the token names none.
 * @throws Refusal `claim_invalid`
 */
export function readInstance(claims: JsonObject): Instance | null {
  const { google } = claims
  if (google === undefined) return null
  if (!isObject(google)) throw invalidClaim('google', 'an object', google)
  const machine = google['compute_engine']
  if (machine === undefined) return null
  if (!isObject(machine)) throw invalidClaim(CLAIM, 'an object', machine)
  const { project_number: number, instance_confidentiality: confidentiality } = machine
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number <= 0) {
    throw invalidClaim(`${CLAIM}.project_number`, 'a whole number', number)
  }
  if (confidentiality !== undefined && confidentiality !== 0 && confidentiality !== 1) {
    throw invalidClaim(`${CLAIM}.instance_confidentiality`, '0 or 1', confidentiality)
  }
  const text = (name: string, form: TextForm) => textOf(machine[name], form, `${CLAIM}.${name}`)
  const project = text('project_id', PROJECT)
  const id = text('instance_id', ID)
  const projectNumber = String(number)
  return {
    project,
    projectNumber,
    facts: {
      'instance.project': project,
      'instance.projectNumber': projectNumber,
      'instance.id': id,
      'instance.name': text('instance_name', NAME),
      'instance.zone': text('zone', ZONE),
      'instance.confidential': confidentiality === undefined ? undefined : confidentiality === 1,
    },
    lineage: `gcp-instance:${projectNumber}/${id}`,
  }
}
