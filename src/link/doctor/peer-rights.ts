import type { Finding, TrustEntry } from '../../api.ts';
import { listed, note, ok, problem } from './finding.ts';
import { shellWord } from './shell-word.ts';

const CHECK = 'peer-rights';

export interface RightsFacts {
  readonly peer: string;
  readonly self: string;
  /** What is known of its key here. */
  readonly entry: TrustEntry | undefined;
  /** It was asked about by name: then it is worth saying that it has no rights. */
  readonly named: boolean;
  /** What this box asked of it, and was refused: filter and reason. */
  readonly refused: readonly { readonly filter: string; readonly reason: string }[];
}

/** What may the peer do here, and does it let this box do what it asked? */
export function checkPeerRights({ peer, self, entry, refused, named }: RightsFacts): Finding[] {
  const where = { peer };
  const asked = refused.map(({ filter, reason }) => problem(CHECK, 'not-granted', {
    ...where,
    message: `${peer} does not let this box read ${filter}.`,
    evidence: [reason],
    advice: `On that machine: \`lanpost trust allow ${shellWord(self)} read ${shellWord(filter)}\`.`,
  }));
  const grants = entry?.grants ?? [];
  if (grants.length > 0) return [...asked, ok(CHECK, `${peer} may ${listed(grants.map(({ right, filter }) => `${right} ${filter}`))} here.`, [], where)];
  if (!named) return asked;
  return [...asked, note(CHECK, 'no-rights', {
    ...where,
    message: `${peer} may write messages to this box, but neither read nor write topics here.`,
    evidence: [entry?.level === 'paired' ? 'its key is paired, and has no rights' : 'its key has no rights'],
    advice: `If it should: \`lanpost trust allow ${shellWord(peer)} read 'TOPIC/#'\`, or \`write\`. What this box may do there is said there, by the same command.`,
  })];
}
