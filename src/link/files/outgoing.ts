import { LanpostError } from '../../errors.ts';
import { NS_BYTESTREAMS } from '../../xep/bytestreams.ts';
import { buildClose, NS_IBB } from '../../xep/ibb.ts';
import { buildOffer, parseAnswer } from '../../xep/si.ts';
import { xml } from '../../xmpp/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import type { Link } from '../link.ts';
import { sendOverBytestream } from './bytestream.ts';
import { type Ask, sendInBand } from './in-band.ts';
import { fromStanzaError } from './refused.ts';
import type { Source } from './source.ts';
import { IDLE, type Transfer, untilEnded } from './transfer.ts';
import type { Clock } from '../../clock.ts';

/** How long an owner has to decide, ms. */
export const OFFER_TIME = 300_000;
/** The other side counts from a little later, and says itself when it is over. */
const GRACE = 15_000;

export interface OutgoingInit {
  readonly transfer: Transfer;
  readonly source: Source;
  readonly sid: string;
  /** Absent for a peer without a key: then neither encrypted nor checked. */
  readonly sha256?: string;
  readonly link: Link;
  readonly clock: Clock;
  readonly refused: (message: string) => void;
}

/** Offers a file and sends it as the peer chooses, to whatever end that comes. Never rejects. */
export async function give(init: OutgoingInit): Promise<void> {
  const { transfer, source } = init;
  let answered = false;
  try {
    const method = await offer(init);
    answered = true;
    await send(init, method);
    transfer.done();
  } catch (error) {
    if (!answered && !(error instanceof StanzaError)) withdraw(init);
    transfer.fail(fromStanzaError(transfer.peer, error));
  } finally {
    await source.close().catch(() => undefined); // it was only read
  }
}

/** Resolves with the way in which the peer would have it. */
async function offer({ transfer, source, sid, sha256, link }: OutgoingInit): Promise<string> {
  const { peer: name, now } = transfer;
  // Between boxes on the encrypted stream; a bytestream of its own would be in the clear.
  const methods = transfer.fingerprint === undefined ? [NS_BYTESTREAMS, NS_IBB] : [NS_IBB];
  const request = buildOffer({
    sid, name: source.name, size: source.size, methods,
    ...(now.description === undefined ? {} : { description: now.description }),
    ...(sha256 === undefined ? {} : { sha256 }),
  });
  // COMPAT(libpurple 2.14): a refusal carries the id of the offer, not of the request; so they are the same.
  const answer = await untilEnded(link.request(name, request, { id: sid, timeout: OFFER_TIME + GRACE, still: () => !transfer.over }), transfer.ended);
  const method = parseAnswer(answer);
  if (method === undefined || !methods.includes(method)) throw new LanpostError('unsupported', `${name} chose a way that it was not offered`);
  return method;
}

async function send({ transfer, source, sid, link, clock, refused }: OutgoingInit, method: string): Promise<void> {
  const { peer: name } = transfer;
  transfer.accepted();
  const ask: Ask = (iq, still) => link.request(name, iq, { timeout: IDLE, ...(still ? { still } : {}) });
  if (method === NS_IBB) return sendInBand(sid, source, transfer, ask);
  const peer = link.peers.get(name);
  if (!peer) throw new LanpostError('unreachable', `${name} has left the link`);
  return sendOverBytestream(sid, source, transfer, link.name, ask, {
    tcp: link.tcp, clock, peer, interfaces: link.interfaces(), refused, isPeer: (address) => link.peers.isAt(name, address),
  });
}

/** XEP-0095 has no way to take an offer back. A box understands the end of a stream that has not begun. */
function withdraw({ transfer, sid, link }: OutgoingInit): void {
  // COMPAT(libpurple 2.14): drops the offer of that id when an error comes.
  const sent = transfer.fingerprint === undefined
    ? link.send(transfer.peer, xml('iq', { type: 'error', id: sid }, new StanzaError('recipient-unavailable').toElement()))
    : link.request(transfer.peer, buildClose(sid));
  sent.catch(() => undefined); // it has gone, and the offer with it
}
