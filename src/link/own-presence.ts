import type { About, OwnPresence as Said, PeerStatus } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Registry } from '../trust/trust.ts';
import { changedAbout, checkedAbout } from './about.ts';
import { buildTxt, type Caps, type Presence, TXT_BYTES, txtBytes } from './presence.ts';

export interface OwnPresenceInit {
  readonly registry: Pick<Registry, 'get' | 'set'>;
  /** What the box is called. */
  readonly label: string;
  readonly caps: () => Caps;
  /** Said for this run, before what was kept. */
  readonly about?: About;
}

interface Spoken { readonly status: PeerStatus; readonly text: string | undefined; readonly about: About }
interface Row { readonly status?: PeerStatus; readonly text?: string; readonly about?: About }

const ROW = 'link/presence';
const STATUSES: readonly string[] = ['available', 'away', 'dnd'] satisfies PeerStatus[];
/** RFC 6763 §6.1: with `msg=`, 255. */
const TEXT_BYTES = 251;
/** What is kept must fit whatever the box is called, and on whatever port it listens. */
const LONGEST = { label: 'x'.repeat(30), port: 65_535 };

/** What this box says of itself on the link. Kept on disk, so that it comes back with it. */
export class OwnPresence {
  readonly #init: OwnPresenceInit;
  #status: PeerStatus;
  #text: string | undefined;
  #about: About;
  #kept: About;
  #changing: Promise<void> = Promise.resolve();
  #changed: () => void = () => undefined;

  /** Throws when it is more than a TXT record should hold. */
  constructor(init: OwnPresenceInit) {
    this.#init = init;
    const row = storedRow(init.registry.get(ROW));
    this.#status = row.status ?? 'available';
    this.#text = row.text;
    this.#kept = row.about ?? {};
    this.#about = changedAbout(this.#kept, checkedAbout(init.about ?? {}, 'link.about'));
    this.#check(this.#said());
  }

  get said(): Said {
    return { status: this.#status, ...(this.#text === undefined ? {} : { statusText: this.#text }), about: this.#about };
  }

  txt(port: number): [string, string][] {
    return buildTxt({ ...this.#presence(this.#said()), port, label: this.#init.label });
  }

  /** The link is there: it is told when something has changed. */
  use(changed: () => void): void {
    this.#changed = changed;
  }

  async setStatus(status: PeerStatus, text?: string): Promise<void> {
    if (!STATUSES.includes(status)) throw new LanpostError('invalid-value', `a status is one of ${STATUSES.join(', ')}`);
    if (text !== undefined && typeof text !== 'string') throw new TypeError('the text of a status must be a string');
    if (Buffer.byteLength(text ?? '') > TEXT_BYTES) throw new LanpostError('too-large', `the text of a status has at most ${TEXT_BYTES} bytes`);
    await this.#change(() => ({ status, text: text || undefined, about: this.#about, kept: this.#kept }));
  }

  async setAbout(changes: About): Promise<void> {
    const checked = checkedAbout(changes, 'about');
    await this.#change(() => ({
      status: this.#status, text: this.#text, about: changedAbout(this.#about, checked), kept: changedAbout(this.#kept, checked),
    }));
  }

  /** One after the other; what is refused or cannot be kept changes nothing. */
  #change(spoken: () => Spoken & { readonly kept: About }): Promise<void> {
    const change = this.#changing.then(() => this.#make(spoken()));
    this.#changing = change.catch(() => undefined); // told to whoever asked for it
    return change;
  }

  async #make({ status, text, about, kept }: Spoken & { readonly kept: About }): Promise<void> {
    this.#check({ status, text, about });
    await this.#init.registry.set(ROW, { status, ...(text === undefined ? {} : { text }), about: kept });
    this.#status = status;
    this.#text = text;
    this.#about = about;
    this.#kept = kept;
    this.#changed();
  }

  #said(): Spoken {
    return { status: this.#status, text: this.#text, about: this.#about };
  }

  #presence({ status, text, about }: Spoken): Omit<Presence, 'port' | 'label'> {
    return { status, ...(text === undefined ? {} : { text }), about, caps: this.#init.caps() };
  }

  /** XEP-0174 §3.1: the whole record keeps to what DNS-SD advises. */
  #check(said: Spoken): void {
    const bytes = txtBytes(buildTxt({ ...this.#presence(said), ...LONGEST }));
    if (bytes > TXT_BYTES) throw new LanpostError('too-large', `what this box says of itself has ${bytes} bytes; a TXT record has at most ${TXT_BYTES}: shorten the status or what is said of a person`);
  }
}

function storedRow(row: unknown): Row {
  return typeof row === 'object' && row !== null ? row : {};
}
