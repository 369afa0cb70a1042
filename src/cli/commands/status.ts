import { setTimeout as wait } from 'node:timers/promises';
import type { Box, BoxStatus, OffLinkPeer } from '../../index.ts';
import type { Command } from '../command.ts';
import { homeInWords } from '../home-in-words.ts';
import type { Output } from '../output.ts';
import { printable } from '../printable.ts';
import { bytesInWords, timeInWords } from '../measure.ts';

/** Between two looks, ms. */
const LOOK = 1_000;
const SHARE = 20;

export const status: Command = {
  name: 'status',
  takes: [],
  summary: 'Say how the box is',
  options: {
    watch: { type: 'boolean', help: 'go on until Ctrl-C: on a terminal as it is now, else what has changed, with --json an object for each change' },
  },
  examples: ['lanpost status', 'lanpost status --json', 'lanpost status --watch'],
  async run({ args, out, attach, signal }) {
    const box = await attach();
    if (args.flag('watch')) return watchStatus(box, out, signal);
    const state = await box.status();
    if (out.json) return out.print(state, () => '');
    for (const [word, what] of lines(state)) void out.fields(out.terminal ? word.padEnd(8) : word, what);
    await out.settled();
  },
};

/** A change is what would be said in other words: ages and rates that only grow by a little are none. */
async function watchStatus(box: Box, out: Output, signal: AbortSignal): Promise<void> {
  let before: readonly string[] = [];
  while (!signal.aborted) {
    const began = performance.now();
    const state = await box.status();
    const now = lines(state).map(([word, what]) => `${out.terminal ? word.padEnd(8) : word}${out.terminal ? '  ' : '\t'}${what}`);
    const changed = now.filter((text) => !before.includes(text));
    if (changed.length > 0 || now.length < before.length) {
      if (out.json) await out.print(state, () => '');
      else if (out.terminal) await out.block(now);
      else for (const text of changed) await out.line(text.split('\t').map(printable).join('\t'));
    }
    before = now;
    // What waits is counted for it: at most such a part of the time.
    const pause = Math.max(LOOK, (performance.now() - began) * SHARE);
    await wait(pause, undefined, { signal }).catch(() => undefined); // the loop ends then
  }
  signal.throwIfAborted();
}

export function lines(state: BoxStatus): [string, string][] {
  const { link, log } = state;
  const where = link.interfaces.length > 0 ? ` on ${link.interfaces.join(', ')}` : '';
  return [
    ['name', state.name],
    ['box', `${state.box}, lanpost ${state.version}`],
    ['key', state.fingerprint],
    ['data', `${state.dir}, ${bytesInWords(log.freeBytes)} free`],
    ['link', `${link.state}${where}${link.port === undefined ? '' : `, port ${link.port}`}${link.reason === undefined ? '' : `: ${link.reason}`}`],
    ['peers', String(state.peers)],
    ...(link.domains ?? []).map((domain): [string, string] => ['domain', `${domain}: each box that its DNS lists is called`]),
    ...(link.offLink ?? []).map((one): [string, string] => ['called', calledInWords(one)]),
    ...state.homes.length === 0 ? [['home', 'none configured: purely local'] as [string, string]] : [],
    ...state.homes.map((home): [string, string] => ['home', `${home.jid}: ${homeInWords(home)}`]),
    ['log', `${log.state}, ${log.topics} ${log.topics === 1 ? 'topic' : 'topics'}, ${bytesInWords(log.bytes)}, position ${log.head}${log.reason === undefined ? '' : `: ${log.reason}`}`],
    ...log.losses === 0 ? [] : [['losses', `${log.losses}: \`lanpost ledger\` tells which`] as [string, string]],
    ...state.requests === 0 ? [] : [['waiting', `${state.requests} to be let read a topic: \`lanpost access requests\` tells who`] as [string, string]],
    ...Object.entries(state.troubles).map(([kind, count]): [string, string] => ['trouble', `${kind} ×${count}`]),
  ];
}

function calledInWords({ peer, state, name, reason, nextAttempt }: OffLinkPeer): string {
  if (state === 'open') return `${peer}: reached${name === undefined ? '' : `, as ${name}`}`;
  return `${peer}: not reached${reason === undefined ? '' : ` (${reason})`}${nextAttempt === undefined ? '' : `, tried again at ${timeInWords(nextAttempt)}`}`;
}
