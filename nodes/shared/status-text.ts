// A status line has little room. What matters in it is how much waits, for how long and what is wrong; what was done matters least.

/** Characters that are shown. */
export const MAX_TEXT = 60;
/** So much is left of what is wrong, before anything else is left out for it. */
const LEAST_WORDS = 24;

const DONE = /^(?:(?:received|published|delivered|sent|handed|asked|answered|did|confirmed|gave back|failed|told of) \d+|run \d+ times?)$/;
const COUNT = /^\d+ (?:lost|paused|unacked|queued|waiting|not answered|on the way|running|refused|of \d+ online|connected|seen|loss known|losses known)$/;
const AGE = /^oldest \d+ (?:s|min|h|d)$/;
const STATES: ReadonlySet<string> = new Set([
  'waiting', 'paused', 'online', 'offline', 'connecting', 'refused', 'stands by', 'disconnected', 'offered', 'ready',
  'opening the box', 'opening the reader', 'peer not reached', 'waits for the owner of the peer', 'refused by the owner of the peer', 'nothing lost',
]);

/** What is left out, one kind after the other, until the rest has room. */
const LEFT_OUT: readonly ((part: Part, at: number, all: readonly Part[]) => boolean)[] = [
  ({ phrase }) => DONE.test(phrase),
  ({ phrase }) => /^\d+ (?:lost|paused)$/.test(phrase),
  // With its own age, where something that waits longer has one.
  ({ phrase }, at, all) => (isOnTheWay(phrase) || (AGE.test(phrase) && isOnTheWay(all[at - 1]?.phrase ?? ''))) && hasAge(all.slice(0, at)),
  ({ phrase }, at, all) => (/^\d+ unacked$/.test(phrase) || (phrase === 'waiting' && at > 0)) && all.some((one) => one.phrase.endsWith(' queued')),
  // Of two ages the one of what waits in the box is left.
  ({ phrase }, at, all) => AGE.test(phrase) && hasAge(all.slice(at + 1)),
];

interface Part {
  readonly phrase: string;
  /** What follows it. */
  readonly between: string;
}

/** The same with fewer words, where there are too many for `most` characters: how much waits, and how old it is, stays. */
export function shortened(text: string, most: number = MAX_TEXT): string {
  if (text.length <= most) return text;
  const { known, words } = parted(text);
  let parts: readonly Part[] = known;
  for (const isLeftOut of LEFT_OUT) {
    if (joined(parts).length + Math.min(words.length, LEAST_WORDS) <= most) break;
    const before = parts;
    parts = before.filter((part, at) => !isLeftOut(part, at, before));
  }
  const all = words === '' ? joined(parts).replace(/(?:, |: | · )$/, '') : joined(parts) + words;
  return all.length > most ? `${all.slice(0, most - 1)}…` : all;
}

/** Its phrases, up to the first that is none of ours: from there on it is the words of an error. */
function parted(text: string): { readonly known: readonly Part[]; readonly words: string } {
  const known: Part[] = [];
  for (let words = text; ;) {
    const [whole = '', phrase = '', between = ''] = /^([^]*?)(, | · |: |$)/.exec(words) ?? [];
    if (!DONE.test(phrase) && !COUNT.test(phrase) && !AGE.test(phrase) && !STATES.has(phrase)) return { known, words };
    known.push({ phrase, between });
    words = words.slice(whole.length);
    if (words === '') return { known, words };
  }
}

function joined(parts: readonly Part[]): string {
  return parts.map(({ phrase, between }) => phrase + between).join('');
}

function isOnTheWay(phrase: string): boolean {
  return phrase.endsWith(' on the way');
}

function hasAge(parts: readonly Part[]): boolean {
  return parts.some(({ phrase }) => AGE.test(phrase));
}
