import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { LanpostError, type Box, type PairingEvent } from '../../index.ts';
import type { Command } from '../command.ts';
import type { Output } from '../output.ts';
import { printable } from '../printable.ts';

export const pair: Command = {
  name: 'pair',
  takes: ['PEER'],
  summary: 'Make sure that a peer is the box you mean, by words that both boxes show',
  options: {},
  notes: [
    'Run it on both boxes within two minutes, each with the name of the other. Both show the same three words;',
    'say yes on both when they do. Nobody in between can make them alike. A paired key is never forgotten, and',
    'nobody else can use its name. It gets no rights by that: see `lanpost trust allow`.',
    'The answer (yes or no) is read from standard input.',
  ],
  examples: ['lanpost pair desk@pc'],
  async run({ args, out, signal, attach }) {
    const [peer = ''] = args.positionals;
    const box = await attach();
    const failed = new AbortController();
    for await (const event of box.trust.pair(peer, { signal: AbortSignal.any([signal, failed.signal]) })) {
      await out.print(event, () => inWords(event, box.name, out));
      if (event.type === 'words') answer(box, event, out, signal).catch((error: unknown) => failed.abort(error));
      if (event.type === 'paired') return 0;
      if (event.type === 'failed') throw new LanpostError(event.reason === 'expired' ? 'timeout' : 'forbidden', FAILED[event.reason](event));
    }
    return 0;
  },
};

type Failed = Extract<PairingEvent, { type: 'failed' }>;

const FAILED: Readonly<Record<Failed['reason'], (event: Failed) => string>> = {
  expired: ({ peer }) => `the two minutes are over: run \`lanpost pair\` on both boxes, here with ${printable(peer)}, and answer on both`,
  tries: ({ peer }) => `${printable(peer)} tried too often: run it again on both boxes when you trust the link`,
  refused: () => 'one of you said that the words differ: nothing was paired. If they really differed, somebody is in between',
  closed: () => 'the box was stopped',
  failed: ({ peer, detail }) => `pairing with ${printable(peer)} failed: ${printable(detail ?? 'unknown')}`,
};

function inWords(event: PairingEvent, self: string, out: Output): string {
  switch (event.type) {
    case 'waiting': return `now run \`lanpost pair ${printable(self)}\` on ${printable(event.peer)}, within two minutes`;
    case 'words': return `${out.style('bold', event.words.join('   '))}\nDoes ${printable(event.peer)} show the same words? (yes or no)`;
    case 'paired': return `${out.style('green', 'paired')} with ${printable(event.peer)}, key ${event.fingerprint.slice(0, 16)}`;
    default: return out.style('red', 'not paired');
  }
}

/** The first line that is a yes or a no; the end of the input is a no. */
async function answer(box: Box, { fingerprint }: PairingEvent, out: Output, signal: AbortSignal): Promise<void> {
  const lines = createInterface({ input: process.stdin });
  const stop = (): void => lines.close();
  signal.addEventListener('abort', stop, { once: true });
  let same = false;
  lines.on('line', (line) => {
    const word = line.trim().toLowerCase();
    if (['y', 'yes', 'n', 'no'].includes(word)) {
      same = word.startsWith('y');
      lines.close();
    } else void out.print({ type: 'unclear', expected: 'yes or no' }, () => 'please say yes or no');
  });
  await once(lines, 'close');
  if (signal.aborted) return;
  try {
    await box.trust.confirm(fingerprint, same); // a name may pass on while one thinks
  } catch (error) {
    // It ended meanwhile, which the pairing itself tells.
    if (!(error instanceof LanpostError) || error.code !== 'not-found') throw error;
  }
}
