// Mail by way of a home: handed when the server has it (XEP-0198 `h`).
import { LanpostError } from '../errors.ts';
import type { Address } from '../mail/address.ts';
import type { Letter } from '../mail/letter.ts';
import type { Handed, Road } from '../mail/road.ts';
import { parseJid } from '../xmpp/jid.ts';
import { buildMessage } from '../xmpp/stanza.ts';
import { isLegal, serialize } from '../xmpp/element.ts';
import type { Home } from './home.ts';

export class HomeRoad implements Road {
  readonly #homes: () => Iterable<Home>;
  readonly #stanzaBytes: number;

  constructor(homes: () => Iterable<Home>, stanzaBytes: number) {
    this.#homes = homes;
    this.#stanzaBytes = stanzaBytes;
  }

  /** The home of the address's own domain first; any other can federate. */
  #homeFor(address: Address): Home | undefined {
    if (address.kind !== 'xmpp') return undefined;
    const domain = parseJid(address.jid)?.domain;
    if (domain === undefined) return undefined;
    const online = [...this.#homes()].filter((home) => home.online);
    return online.find((home) => home.account.address.domain === domain) ?? online[0];
  }

  reaches(address: Address): boolean {
    return this.#homeFor(address) !== undefined;
  }

  holds(address: Address): boolean {
    if (address.kind !== 'xmpp' || !parseJid(address.jid)) return false;
    return [...this.#homes()].length > 0;
  }

  async deliver(address: Address, letter: Letter): Promise<Handed> {
    if (address.kind !== 'xmpp' || !parseJid(address.jid)) throw new LanpostError('invalid-value', `A home does not carry mail for ${letter.to}.`);
    const { jid } = address;
    const home = this.#homeFor(address);
    if (!home) throw new LanpostError('unreachable', `No home is connected that could carry mail for ${jid}.`);
    const build = () => buildMessage({
      to: jid, type: 'chat', id: letter.id, body: letter.body,
      ...(letter.subject === undefined ? {} : { subject: letter.subject }),
      ...(letter.thread === undefined ? {} : { thread: letter.thread }),
    });
    // It would end the stream, again and again.
    for (const text of [letter.body, letter.subject, letter.thread, letter.id]) if (text !== undefined && !isLegal(text)) throw new LanpostError('invalid-value', 'The message holds characters that XML cannot.');
    if (Buffer.byteLength(serialize(build())) > this.#stanzaBytes) throw new LanpostError('too-large', 'The message is larger than homes accept.');
    await home.send(build);
    return {};
  }
}
