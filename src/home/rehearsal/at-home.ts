// What of a rehearsal is at home, as the home itself says: every record asked for by its id, and the names of all there is.
import { LanpostError } from '../../errors.ts';
import { attr, xml, type Element } from '../../xmpp/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { keepsOf } from '../node-info.ts';
import { itemsRequest, NS_PUBSUB } from '../node.ts';
import { recordsOf } from '../pack-element.ts';
import { reasonOf } from '../reason.ts';

export interface AtHome {
  /** How often each of the records that were sent is there. */
  readonly counts: ReadonlyMap<string, number>;
  /** As many items as the node keeps, where it says so. */
  readonly keeps: number | undefined;
}

type Request = (iq: Element, timeout: number) => Promise<Element>;

const NS_ITEMS = 'http://jabber.org/protocol/disco#items';
const PAGE = 100;
const ANSWER = 60_000;

export async function readAtHome(request: Request, { service, node, sent }: { readonly service: string; readonly node: string; readonly sent: readonly string[] }): Promise<AtHome> {
  const counts = new Map<string, number>();
  const names = await namesIn(request, service, node);
  if (!names) return { counts, keeps: undefined };
  // A name of ours is looked at as often as it is there; another may hold a record of ours as well.
  const asked = [...new Set([...sent, ...names])];
  const times = new Map<string, number>();
  for (const name of names) times.set(name, (times.get(name) ?? 0) + 1);
  for (let at = 0; at < asked.length; at += PAGE) {
    const answer = await request(itemsRequest(service, node, asked.slice(at, at + PAGE)), ANSWER);
    for (const item of answer.getChild('pubsub', NS_PUBSUB)?.getChild('items')?.getChildren('item') ?? []) {
      const often = times.get(attr(item, 'id') ?? '') ?? 1;
      for (const { recordId } of recordsOf(item)) counts.set(recordId, (counts.get(recordId) ?? 0) + often);
    }
  }
  return { counts, keeps: await keptBy(request, service, node) };
}

/** XEP-0060 §5.5. */
async function namesIn(request: Request, service: string, node: string): Promise<string[] | undefined> {
  try {
    const answer = await request(xml('iq', { type: 'get', to: service }, xml('query', { xmlns: NS_ITEMS, node })), ANSWER);
    return (answer.getChild('query', NS_ITEMS)?.getChildren('item') ?? []).flatMap((item) => attr(item, 'name') ?? []);
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error;
    if (error.condition === 'item-not-found') return undefined; // nothing ever came there
    throw new LanpostError('unsupported', `What is in ${node} cannot be asked for: ${reasonOf(error)}`, { cause: error });
  }
}

async function keptBy(request: Request, service: string, node: string): Promise<number | undefined> {
  try {
    const keeps = await keepsOf(service, node, (iq) => request(iq, ANSWER));
    return keeps === Infinity ? undefined : keeps;
  } catch (error) {
    if (error instanceof StanzaError) return undefined; // it does not say
    throw error;
  }
}
