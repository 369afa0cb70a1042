import type { Finding, TrustEntry } from '../../api.ts';
import { listed, note, problem } from './finding.ts';
import { shellWord } from './shell-word.ts';

const CHECK = 'peer-name';
/** Names that are offered instead. */
const NEAREST = 3;

export interface NameQuestion {
  readonly asked: string;
  readonly self: string;
  /** On the link now. */
  readonly present: readonly string[];
  /** Keys that were seen, by the names they had. */
  readonly keys: readonly TrustEntry[];
  /** When that name was last heard since the box runs; a key counts as seen when its stream begins. */
  readonly lastHeard?: number | undefined;
  readonly now: number;
}

/** Nobody of that name is on the link: was it there once, or is it another name? */
export function checkPeerName({ asked, self, present, keys, lastHeard, now }: NameQuestion): Finding[] {
  const where = { peer: asked };
  if (asked === self) {
    return [note(CHECK, 'unknown-peer', { ...where, message: `${asked} is this box itself.`, evidence: [], advice: 'Name another one; `lanpost peers` lists them.' })];
  }
  const before = keys.find(({ name }) => name === asked);
  const evidence = [present.length > 0 ? `on the link: ${listed(present)}` : 'nobody is on the link'];
  if (before) {
    const last = Math.max(before.lastSeen, lastHeard ?? 0);
    return [problem(CHECK, 'peer-gone', {
      ...where,
      message: `${asked} was here before, but is not announced now: it is off, has another name, or is not heard.`,
      evidence: [`its key ${before.fingerprint.slice(0, 16)} was last seen ${new Date(last).toISOString()}${last > now ? ' by a clock that was ahead' : ''}`, ...evidence],
      advice: 'See whether lanpost runs there (`lanpost status`), and what `lanpost doctor` says on that machine. What the other checks here say of the network may be the reason.',
    })];
  }
  const near = nearest(asked, [...new Set([...present, ...keys.map(({ name }) => name)])]);
  return [problem(CHECK, 'unknown-peer', {
    ...where,
    message: near.length > 0 ? `Nobody called ${asked} is on the link; did you mean ${listed(near)}?` : `Nobody called ${asked} is on the link.`,
    evidence,
    advice: near.length > 0 ? `Try \`lanpost doctor ${shellWord(near[0] ?? '')}\`; names are compared letter by letter.`
      : 'Look at the name there (`lanpost status` on that machine). If it is right, it is not heard here: what the other checks say of the network may be the reason.',
  })];
}

/** Names that differ little from what was asked, the nearest first. */
export function nearest(asked: string, names: readonly string[]): string[] {
  const most = Math.max(2, Math.floor(asked.length / 3));
  const [user = ''] = asked.split('@');
  return names
    .map((name) => ({ name, far: name.split('@')[0]?.toLowerCase() === user.toLowerCase() ? 1 : distance(asked.toLowerCase(), name.toLowerCase()) }))
    .filter(({ far }) => far <= most)
    .toSorted((a, b) => a.far - b.far)
    .slice(0, NEAREST)
    .map(({ name }) => name);
}

/** Levenshtein's: how many letters to add, drop or change. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
