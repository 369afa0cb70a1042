// The ids of all that a node holds (XEP-0060 §5.5): small, where the items would not fit into an answer. Prosody has no paging
// (XEP-0059) and gives all of them, newest first; ejabberd pages, oldest first. By their ids both give any items (§6.5.8).
import { type PageInfo, readInfo, requestElement } from '../../xep/rsm.ts';
import { NS_DISCO_ITEMS } from '../../xep/disco.ts';
import { attr, children, xml, type Element } from '../../xmpp/element.ts';
import type { Target } from './keeper.ts';

/** Ids of one node that are held here at once. */
export const LISTED = 100_000;
/** Bytes of their text; a service may make each as long as a stanza. */
export const LISTED_BYTES: number = 16 << 20;
const PAGE = 1_000;

export interface Listing {
  /** Oldest first, each once. */
  readonly ids: readonly string[];
  /** The node has none before them. */
  readonly whole: boolean;
}

/** `newest`: some of the newest, oldest first, by which it is seen in which order the service lists them. */
export async function listing({ service, node }: Pick<Target, 'service' | 'node'>, newest: readonly string[], request: (iq: Element) => Promise<Element>): Promise<Listing> {
  const ids = new Set<string>();
  let after: string | undefined = undefined;
  let bytes = 0;
  let whole = true;
  for (;;) {
    const answer: Element | undefined = (await request(listRequest(service, node, after))).getChild('query', NS_DISCO_ITEMS);
    const before = ids.size;
    for (const item of answer ? children(answer) : []) {
      const id = attr(item, 'name');
      if (id === undefined || ids.has(id)) continue;
      ids.add(id);
      bytes += Buffer.byteLength(id);
    }
    const info: PageInfo | undefined = answer && readInfo(answer);
    // What says nothing of pages is everything; a page that has nothing new is the last, and where there should be more not all.
    const count = info?.count ?? 0;
    whole = ids.size >= count && ids.size <= LISTED && bytes <= LISTED_BYTES;
    if (info?.last === undefined || info.last === after || ids.size === before || ids.size >= (info.count ?? Infinity) || ids.size > LISTED * 2 || bytes > LISTED_BYTES) break;
    after = info.last;
  }
  const listed = [...ids];
  const [first, last] = [listed.indexOf(newest[0] ?? ''), listed.indexOf(newest.at(-1) ?? '')];
  // Of a single one it is told by the end at which it stands.
  if (first === last ? last >= 0 && last < listed.length - 1 - last : first > last) listed.reverse();
  // What a list that was cut short, or is from before, does not have is the newest all the same.
  for (const id of newest) if (id !== '' && !ids.has(id)) listed.push(id);
  return { ids: listed.slice(-LISTED), whole };
}

function listRequest(service: string, node: string, after: string | undefined): Element {
  return xml('iq', { type: 'get', to: service }, xml('query', { xmlns: NS_DISCO_ITEMS, node }, requestElement({ max: PAGE, ...(after === undefined ? {} : { after }) })));
}
