// XEP-0060 1.30 §4.1: what an affiliation allows, and which may become which. Tables, not branches.
import type { Affiliation } from '../api.ts';

export const AFFILIATIONS: readonly Affiliation[] = ['owner', 'publisher', 'publish-only', 'member', 'outcast', 'none'];

export type Operation = 'subscribe' | 'retrieve' | 'publish' | 'retract' | 'purge' | 'configure' | 'delete';

/** `own`: of what they published themselves. `model`: as the topic's access or publish model says. */
export type Privilege = 'yes' | 'own' | 'model' | 'no';

/**
 * "Affiliations and their privileges". Whoever configures a topic manages who stands how to it, too. Where the XEP
 * leaves it to the service (its cells with an asterisk), least right: publishers retract what is theirs, and do not purge.
 */
export const PRIVILEGES: Readonly<Record<Affiliation, Readonly<Record<Operation, Privilege>>>> = {
  'owner':        { subscribe: 'yes', retrieve: 'yes', publish: 'yes', retract: 'yes', purge: 'yes', configure: 'yes', delete: 'yes' },
  'publisher':    { subscribe: 'yes', retrieve: 'yes', publish: 'yes', retract: 'own', purge: 'no', configure: 'no', delete: 'no' },
  'publish-only': { subscribe: 'no', retrieve: 'no', publish: 'yes', retract: 'own', purge: 'no', configure: 'no', delete: 'no' },
  'member':       { subscribe: 'yes', retrieve: 'yes', publish: 'model', retract: 'model', purge: 'no', configure: 'no', delete: 'no' },
  'none':         { subscribe: 'model', retrieve: 'model', publish: 'model', retract: 'model', purge: 'no', configure: 'no', delete: 'no' },
  'outcast':      { subscribe: 'no', retrieve: 'no', publish: 'no', retract: 'no', purge: 'no', configure: 'no', delete: 'no' },
};

/** "Affiliation state chart": what nobody on a road may make of somebody who stands so. `publish-only`, which it leaves out, stands beside `publisher`. */
const NEVER: Readonly<Record<Affiliation, readonly Affiliation[]>> = {
  'owner': ['outcast', 'member', 'publisher', 'publish-only'],
  'publisher': ['member'],
  'publish-only': ['member'],
  'member': [],
  'none': [],
  'outcast': [],
};

/** `resigns`: it is about whoever asks. An owner is no owner any more when it resigns, and else only by the box's own word. */
export function mayBecome(before: Affiliation, after: Affiliation, resigns: boolean): boolean {
  if (before === after) return true;
  return !NEVER[before].includes(after) && (before !== 'owner' || resigns);
}
