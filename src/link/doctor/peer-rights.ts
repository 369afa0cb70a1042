import type { Finding, Grant } from '../../api.ts';
import { listed, note, ok, problem } from './finding.ts';
import { shellWord } from './shell-word.ts';

const CHECK = 'peer-rights';

export interface RightsFacts {
  readonly peer: string;
  readonly self: string;
  /** What is said of its key here, and of the class that the key is in. */
  readonly grants: readonly Grant[];
  readonly denials: readonly Grant[];
  readonly mayChat: boolean;
  /** It was asked about by name: then it is worth saying that it has no rights. */
  readonly named: boolean;
  /** What this box asked of it, and was refused: filter and reason. */
  readonly refused: readonly { readonly filter: string; readonly reason: string }[];
}

/** What may the peer do here, and does it let this box do what it asked? */
export function checkPeerRights({ peer, self, grants, denials, mayChat, refused, named }: RightsFacts): Finding[] {
  const where = { peer };
  const asked = refused.map(({ filter, reason }) => problem(CHECK, 'not-granted', {
    ...where,
    message: `${peer} does not let this box read ${filter}.`,
    evidence: [reason],
    advice: `On that machine: \`lanpost trust allow ${shellWord(self)} read ${shellWord(filter)}\`.`,
  }));
  if (!named) return asked;
  const denied = denials.length > 0 ? [`denied: ${inWords(denials)}`] : [];
  const topics = grants.filter(({ right }) => right === 'read' || right === 'write');
  if (!mayChat) {
    return [...asked, note(CHECK, 'no-rights', {
      ...where, message: `This box does not take messages of ${peer}: its owner has said so.`, evidence: denied,
      advice: `If it should: \`lanpost trust allow ${shellWord(peer)} chat\`; \`lanpost trust list --classes\` says what holds for all.`,
    })];
  }
  if (topics.length > 0) return [...asked, ok(CHECK, `${peer} may ${inWords(grants)} here.`, denied, where)];
  return [...asked, note(CHECK, 'no-rights', {
    ...where,
    message: `${peer} may write messages to this box, but neither read nor write topics here.`,
    evidence: ['neither its key nor the class of it was allowed any', ...denied],
    advice: `If it should: \`lanpost trust allow ${shellWord(peer)} read 'TOPIC/#'\`, or \`write\`. What this box may do there is said there, by the same command.`,
  })];
}

function inWords(rules: readonly Grant[]): string {
  return listed(rules.map(({ right, filter }) => (filter === undefined ? right : `${right} ${filter}`)));
}
