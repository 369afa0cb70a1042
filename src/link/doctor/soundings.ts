import type { Clock } from '../../clock.ts';
import { linksOf } from '../../mdns/interfaces.ts';
import { TYPE } from '../../mdns/message.ts';
import type { Family, InterfaceInfo } from '../../mdns/network.ts';
import type { Asked } from '../../mdns/question.ts';
import { Sounder, type SounderInit, type Sounding } from '../../mdns/sounder.ts';
import { pause } from '../pause.ts';

export type SounderPort = Pick<Sounder, 'open' | 'ask' | 'answers' | 'result' | 'close'>;

/** What was found out about one interface and family. */
export interface Sounded extends Sounding {
  /** Peers whose records were learned there. */
  readonly known: readonly string[];
  /** Those of them, and of the hosts heard, that answer when they are asked alone; not asked when somebody has answered this host. */
  readonly alive: readonly string[];
}

export interface SoundingsParts {
  readonly clock: Clock;
  /** What is to be tried, and all there are. */
  readonly interfaces: readonly InterfaceInfo[];
  readonly all: readonly InterfaceInfo[];
  /** Addresses of peers that were learned there. */
  readonly known: (iface: string, family: Family) => readonly string[];
  /** Others to be spoken to, so that the system learns whether they are there. */
  readonly others: (iface: string) => Promise<readonly string[]>;
  readonly sounder?: ((init: SounderInit) => SounderPort) | undefined;
}

/** Asked for on the link: who speaks XEP-0174. */
const PRESENCE: Asked = { name: '_presence._tcp.local', type: TYPE.PTR };
/** Links that are sounded at once. */
const MAX_LINKS = 16;
/** Peers asked alone, per link. */
const MAX_ASKED = 8;
/** Of a round of asking; where all is well, half of one is enough. RFC 6762 §6: nobody repeats an answer within a second. */
const LISTEN = 1_400;
const ROUNDS = 3;
const ALONE = 900;

/** Sockets of its own on every link, for as long as the doctor is there. */
export class Soundings {
  readonly #parts: SoundingsParts;
  readonly #links = new Map<string, SoundedLink>();

  constructor(parts: SoundingsParts) {
    this.#parts = parts;
  }

  async open(): Promise<void> {
    const { interfaces, all, clock, sounder = (init) => new Sounder(init) } = this.#parts;
    for (const [id, { iface, family }] of [...linksOf(interfaces)].slice(0, MAX_LINKS)) {
      this.#links.set(id, {
        iface: iface.name, family, alone: new Map(), others: new Map(), sounder: sounder({ interface: iface, family, all, clock, asked: [PRESENCE] }),
      });
    }
    await Promise.all([...this.#links.values()].map(({ sounder: one }) => one.open()));
  }

  /** Asks and listens on all links: longer where nobody has answered, and longest where others are there all the same. */
  async listen(signal: AbortSignal): Promise<Sounded[]> {
    const { clock } = this.#parts;
    const links = [...this.#links.values()];
    for (let round = 0; round < ROUNDS && !signal.aborted; round += 1) {
      for (const { sounder } of links) sounder.ask();
      await pause(clock, LISTEN / 2, signal);
      if (links.every(isAnswered)) break;
      await pause(clock, LISTEN / 2, signal);
      await Promise.all(links.map((link) => this.#askAlone(link)));
      if (links.every((link) => isAnswered(link) || (round > 0 && link.alone.size === 0))) break;
    }
    return Promise.all(links.map(async ({ iface, family, sounder, alone }) => {
      const answers = await Promise.all([...alone].map(async ([address, answer]) => (await answer ? [address] : [])));
      return { ...sounder.result(), known: this.#parts.known(iface, family), alive: answers.flat() };
    }));
  }

  /** Whether somebody on that interface answers a packet of so many bytes that is sent to it alone. */
  async answers(iface: string, address: string, asked: readonly Asked[], ms: number, bytes?: number): Promise<boolean> {
    const family = address.includes(':') ? 6 : 4;
    const found = [...this.#links.values()].find((one) => one.iface === iface && one.family === family)
      // Several interfaces on one subnet are one link.
      ?? [...this.#links.values()].find((one) => one.family === family);
    return await found?.sounder.answers(address, asked, ms, bytes) ?? false;
  }

  close(): void {
    for (const { sounder } of this.#links.values()) sounder.close();
  }

  /**
   * Asks those alone who are there, or should be, and have not answered this host. A firewall here lets their answers in then,
   * also those to the next question to all.
   */
  async #askAlone({ iface, family, sounder, alone, others }: SoundedLink): Promise<void> {
    const { hosts } = sounder.result();
    if (hosts.some(({ onLink, answersUs }) => onLink && answersUs)) return;
    const heard = hosts.filter(({ onLink, multicast }) => onLink && multicast > 0).map(({ address }) => address);
    for (const address of [...this.#parts.known(iface, family), ...heard]) {
      if (alone.size < MAX_ASKED && !alone.has(address)) alone.set(address, sounder.answers(address, [PRESENCE], ALONE));
    }
    if (family === 6) return;
    // What they answer does not matter: the system learns whether they are there.
    for (const address of await this.#parts.others(iface)) if (!others.has(address)) others.set(address, sounder.answers(address, [], ALONE));
  }
}

interface SoundedLink {
  readonly iface: string;
  readonly family: Family;
  readonly sounder: SounderPort;
  readonly alone: Map<string, Promise<boolean>>;
  readonly others: Map<string, Promise<boolean>>;
}

function isAnswered({ sounder }: SoundedLink): boolean {
  return sounder.result().hosts.some(({ onLink, multicast, answersUs }) => onLink && multicast > 0 && answersUs);
}
