import { isIP } from 'node:net';
import type { Peers } from '../peers.ts';

/** How long a caller may be ahead of its announcement. */
const ANNOUNCED_WITHIN = 3_000;

export interface Callers {
  readonly names: readonly string[];
  /** The name is not in the list, which is full: only a paired key may stand behind it. */
  readonly unlisted?: true;
}

/**
 * Who may be calling from an address of the link: the name said, if it is announced there, else all that are. Of a paired
 * key the name is enough, for whoever says it has to show that key: strangers may announce so much that it is not heard.
 * For the same reason one that has another name now may be there unheard: where there is no room for more names, a paired key is let in
 * under any. Else who is not heard is told so before anything else, and knows that multicast does not reach us.
 */
export async function callersAt(peers: Peers, from: string | undefined, address: string, isPaired: (name: string) => boolean): Promise<Callers> {
  // COMPAT(iChat, Adium): older ones say an IP address.
  if (from === undefined || isIP(from) !== 0) {
    const found = await peers.awaited(() => { const all = peers.at(address); return all.length > 0 ? all : undefined; }, ANNOUNCED_WITHIN);
    return { names: (found ?? []).map(({ name }) => name) };
  }
  // Asked again with every announcement there is: not by going through all peers at that address.
  // The name as it was announced, not as it was said: what is cut from a read keeps all of that read in memory.
  const found = await peers.awaited(() => (peers.isAt(from, address) ? peers.get(from)?.name : undefined), ANNOUNCED_WITHIN);
  if (found !== undefined) return { names: [found] };
  const said = Buffer.from(from).toString();
  if (isPaired(said)) return { names: [said] };
  return peers.isFull ? { names: [said], unlisted: true } : { names: [] };
}
