import type { TrustLevel } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Address } from '../mail/address.ts';
import type { Incoming } from '../mail/inbox.ts';
import type { Letter } from '../mail/letter.ts';
import type { Handed, Road } from '../mail/road.ts';
import { NS_LANPOST } from '../payload/xml.ts';
import { boxIdOfFingerprint } from '../trust/fingerprint.ts';
import { readMessage } from '../xep/message-body.ts';
import { attr, children, type Element, namespaceOf, xml } from '../xmpp/element.ts';
import type { StanzaError } from '../xmpp/stanza-error.ts';
import { buildMessage } from '../xmpp/stanza.ts';
import { originOf } from './record-origin.ts';
import type { PeerStreams } from './streams-port.ts';

/** As long as an escaped address can be. */
const MAX_CHAIN = 512;

export interface MailRoadParts {
  readonly streams: Pick<PeerStreams, 'send'>;
  /** Whether the name is on the link now. */
  readonly isPresent: (name: string) => boolean;
  /** The key that held the name last: without one mail would wait for whoever takes it. */
  readonly holder: (name: string) => string | undefined;
  readonly isPaired: (fingerprint: string) => boolean;
  /** The key at the other end of the open stream to that name. */
  readonly speaking: (name: string) => string | undefined;
  /** The name a key goes by now, when it is on the link. */
  readonly nameOf: (fingerprint: string) => string | undefined;
  readonly ownName: () => string;
}

/** Letters over the link: a box confirms them with `h`, others with nothing. */
export class MailRoad implements Road {
  readonly #parts: MailRoadParts;
  /** By name and id: letters that were handed over and are not confirmed, as many as the outboxes let be on their way. */
  readonly #handed = new Map<string, (error: LanpostError) => void>();

  constructor(parts: MailRoadParts) {
    this.#parts = parts;
  }

  reaches(address: Address): boolean {
    return address.kind === 'link' && this.#nameNow(address.name) !== undefined;
  }

  /** The key that was vouched for, that speaks now, or that is away; of one that is there and only was seen, the name is all there is. */
  recipient(address: Address): string | undefined {
    if (address.kind !== 'link') return undefined;
    const { holder, isPaired, isPresent, speaking } = this.#parts;
    const key = holder(address.name);
    return key === undefined || isPaired(key) || !isPresent(address.name) ? key : speaking(address.name);
  }

  holds(address: Address): boolean {
    return address.kind === 'link' && this.#parts.holder(address.name) !== undefined;
  }

  /**
   * Mail belongs to the key and follows it through renames. Whoever has the name of a paired key
   * now is an impostor; of one that was only seen, whoever has the name has the mail.
   */
  #nameNow(name: string): string | undefined {
    const { holder, isPaired, isPresent, nameOf } = this.#parts;
    const key = holder(name);
    const moved = key === undefined || (!isPaired(key) && isPresent(name)) ? undefined : nameOf(key);
    return moved ?? (isPresent(name) ? name : undefined);
  }

  async deliver(address: Address, letter: Letter): Promise<Handed> {
    if (address.kind !== 'link') throw new LanpostError('invalid-value', `the link does not carry mail for ${letter.to}`);
    // What was accepted for a key goes to no other, whoever has the name by then.
    const name = (letter.key === undefined ? undefined : this.#parts.nameOf(letter.key)) ?? this.#nameNow(address.name);
    if (name === undefined) throw new LanpostError('unreachable', `${address.name} is not on the link`);
    const message = buildMessage({
      // XEP-0174 §6: both are instance names, as found in DNS.
      from: this.#parts.ownName(),
      to: name,
      id: letter.id,
      type: 'chat',
      body: letter.body,
      ...(letter.subject === undefined ? {} : { subject: letter.subject }),
      ...(letter.thread === undefined ? {} : { thread: letter.thread }),
      extensions: [xml('record', { xmlns: NS_LANPOST, id: letter.recordId, chain: letter.chain, at: String(letter.time) })],
    });
    const { delivered, taken } = await this.#parts.streams.send(name, message, letter.key);
    if (!delivered) return taken ? { taken } : {};
    const outcome = new Promise<void>((resolve, reject) => {
      this.#handed.set(`${name} ${letter.id}`, reject);
      delivered.then(resolve, reject);
    });
    return { delivered: outcome.finally(() => this.#handed.delete(`${name} ${letter.id}`)) };
  }

  /** It came back: only who it was handed to can say so. What is to be tried again, the stream has not confirmed either. */
  refused(id: string, peer: Sender, error: StanzaError): void {
    if (error.type !== 'wait') this.#handed.get(`${peer.name} ${id}`)?.(new LanpostError('forbidden', `${peer.name} does not take it: ${error.message}`));
  }
}

/** Who a stream has proven to be at its other end. */
export interface Sender {
  readonly name: string;
  readonly fingerprint?: string;
  readonly trust: TrustLevel;
}

/** A message from the link, as the inbox keeps it; nothing when it says nothing. The stream's peer is the only sender. */
export function incomingOf(message: Element, peer: Sender, ownName: string): Incoming | undefined {
  const said = readMessage(message);
  if (!said || attr(message, 'type') === 'error') return undefined;
  const id = attr(message, 'id');
  const record = children(message).find((child) => child.name === 'record' && namespaceOf(child) === NS_LANPOST);
  return {
    ...said,
    from: `link:${peer.name}`,
    to: `link:${ownName}`,
    trust: peer.trust,
    ...(id === undefined ? {} : { id }),
    ...(record ? originBy(record, peer) : {}),
  };
}

/** Numbers count only from the box that minted them: no other may use up its place. */
function originBy(record: Element, peer: Sender): Pick<Incoming, 'origin'> {
  if (peer.fingerprint === undefined) return {};
  const origin = originOf(attr(record, 'id') ?? '');
  const chain = (attr(record, 'chain') ?? '').slice(0, MAX_CHAIN);
  return origin.box === boxIdOfFingerprint(peer.fingerprint) ? { origin: { ...origin, chain } } : {};
}
