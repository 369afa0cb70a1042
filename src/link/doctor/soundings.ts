import type { Clock } from '../../clock.ts';
import { linksOf } from '../../mdns/interfaces.ts';
import { TYPE } from '../../mdns/message.ts';
import type { Family, InterfaceInfo } from '../../mdns/network.ts';
import { type Asked, Sounder, type SounderInit, type Sounding } from '../../mdns/sounder.ts';
import { pause } from './pause.ts';

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
/** RFC 6762 §6: nobody repeats an answer within a second, so it is asked twice. */
const LISTEN = 1_100;
const ALONE = 900;

/** Sockets of its own on every link, for as long as the doctor is there. */
export class Soundings {
  readonly #parts: SoundingsParts;
  readonly #sounders = new Map<string, { readonly iface: string; readonly family: Family; readonly sounder: SounderPort }>();

  constructor(parts: SoundingsParts) {
    this.#parts = parts;
  }

  async open(): Promise<void> {
    const { interfaces, all, clock, sounder = (init) => new Sounder(init) } = this.#parts;
    for (const [id, { iface, family }] of [...linksOf(interfaces)].slice(0, MAX_LINKS)) {
      this.#sounders.set(id, { iface: iface.name, family, sounder: sounder({ interface: iface, family, all, clock, asked: [PRESENCE] }) });
    }
    await Promise.all([...this.#sounders.values()].map(({ sounder: one }) => one.open()));
  }

  /** Asks and listens on all links; a little longer where nobody has answered. */
  async listen(signal: AbortSignal): Promise<Sounded[]> {
    const { clock } = this.#parts;
    const sounders = [...this.#sounders.values()];
    const quiet = (): boolean => sounders.some(({ sounder }) => !sounder.result().hosts.some(({ multicast, answersUs }) => multicast > 0 && answersUs));
    for (let round = 0; round < 2 && (round === 0 || quiet()) && !signal.aborted; round += 1) {
      for (const { sounder } of sounders) sounder.ask();
      await pause(clock, LISTEN, signal);
    }
    return Promise.all(sounders.map(({ iface, family, sounder }) => this.#alone(iface, family, sounder)));
  }

  /** Whether somebody on that interface answers a packet of so many bytes that is sent to it alone. */
  async answers(iface: string, address: string, asked: readonly Asked[], ms: number, bytes?: number): Promise<boolean> {
    const family = address.includes(':') ? 6 : 4;
    const found = [...this.#sounders.values()].find((one) => one.iface === iface && one.family === family)
      // Several interfaces on one subnet are one link.
      ?? [...this.#sounders.values()].find((one) => one.family === family);
    return await found?.sounder.answers(address, asked, ms, bytes) ?? false;
  }

  close(): void {
    for (const { sounder } of this.#sounders.values()) sounder.close();
  }

  async #alone(iface: string, family: Family, sounder: SounderPort): Promise<Sounded> {
    const known = this.#parts.known(iface, family);
    const { hosts } = sounder.result();
    if (hosts.some(({ onLink, answersUs }) => onLink && answersUs)) return { ...sounder.result(), known, alive: [] };
    const asked = [...new Set([...known, ...hosts.filter(({ onLink, multicast }) => onLink && multicast > 0).map(({ address }) => address)])].slice(0, MAX_ASKED);
    const others = family === 4 ? await this.#parts.others(iface) : [];
    const answering = async (address: string): Promise<string> => (await sounder.answers(address, [PRESENCE], ALONE) ? address : '');
    const [alive] = await Promise.all([Promise.all(asked.map(answering)), Promise.all(others.map(answering))]);
    return { ...sounder.result(), known, alive: alive.filter((address) => address !== '') };
  }
}
