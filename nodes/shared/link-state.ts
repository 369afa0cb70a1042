import { setTimeout as sleep } from 'node:timers/promises';
import type { BoxStatus } from '../../src/index.ts';

/** How often the box is asked: it looks at its interfaces as often itself. */
const EVERY_MS = 2000;

/** Why nobody is seen, as the status line says it; undefined while the link is there. */
export interface NoLink { readonly text: string; readonly kind: 'waiting' | 'bad' | 'idle' }

export function noLink({ state, reason, interfaces, offLink = [] }: BoxStatus['link']): NoLink | undefined {
  if (state === 'off') return { text: 'no link', kind: 'idle' };
  if (state === 'failed') return { text: `no link: ${reason ?? 'failed'}`, kind: 'bad' };
  // Those that are called need no multicast: a stream to one of them is a link.
  if (interfaces.length > 0 || offLink.some((peer) => peer.state === 'open')) return state === 'up' ? undefined : { text: 'no link: starting', kind: 'waiting' };
  return { text: 'no link: no interface', kind: 'waiting' };
}

/** Tells how the link is, and then whenever the box was asked again, until `signal` says that it is enough. */
export async function watchLink(ask: () => Promise<BoxStatus>, signal: AbortSignal, tell: (link: NoLink | undefined) => void): Promise<void> {
  while (!signal.aborted) {
    const { link } = await ask();
    if (signal.aborted) return;
    tell(noLink(link));
    await sleep(EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined); // aborted: the loop ends
  }
}
