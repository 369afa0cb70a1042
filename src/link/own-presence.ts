import type { About, OwnPresence as Said, PeerStatus } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { InstanceRecord } from '../mdns/mdns.ts';
import type { Registry } from '../trust/registry.ts';
import type { Caps } from '../xep/caps.ts';
import { changedAbout, checkedAbout } from './about.ts';
import { avatarHash, checkedAvatar, NULL_RECORD } from './avatar.ts';
import { buildTxt, type Presence, TXT_BYTES, txtBytes } from './presence.ts';

export interface OwnPresenceInit {
  readonly registry: Pick<Registry, 'get' | 'set'>;
  /** What the box is called. */
  readonly label: string;
  readonly caps: () => Caps;
  /** Said for this run, before what was kept. */
  readonly about?: About;
}

interface Spoken { readonly status: PeerStatus; readonly text: string | undefined; readonly about: About; readonly kept: About }
interface Row { readonly status?: PeerStatus; readonly text?: string; readonly about?: About }

const ROW = 'link/presence';
const AVATAR_ROW = 'link/avatar';
const STATUSES: readonly string[] = ['available', 'away', 'dnd'] satisfies PeerStatus[];
/** RFC 6763 §6.1: with `msg=`, 255. */
const TEXT_BYTES = 251;
/** What is kept must fit whatever the box is called, and on whatever port it listens. */
const LONGEST = { label: 'x'.repeat(30), port: 65_535, avatar: 'x'.repeat(40) };

/** What this box says of itself on the link. Kept on disk, so that it comes back with it. */
export class OwnPresence {
  readonly #init: OwnPresenceInit;
  #spoken: Spoken;
  #avatar: Uint8Array | undefined;
  #hash: string | undefined;
  #changing: Promise<void> = Promise.resolve();
  #changed: () => void = () => undefined;

  /** Throws when what is said for this run makes it more than a TXT record should hold. What was kept did fit: with another version it may be a few bytes more, and no reason not to start. */
  constructor(init: OwnPresenceInit) {
    this.#init = init;
    const { status = 'available', text, about: kept = {} } = storedRow(init.registry.get(ROW));
    this.#spoken = { status, text, about: changedAbout(kept, checkedAbout(init.about ?? {}, 'link.about')), kept };
    if (Object.keys(init.about ?? {}).length > 0) this.#check(this.#spoken);
    const image = init.registry.get(AVATAR_ROW);
    if (image instanceof Uint8Array) this.#show(image);
  }

  get said(): Said {
    const { status, text, about } = this.#spoken;
    return { status, ...(text === undefined ? {} : { statusText: text }), about, ...(this.#hash === undefined ? {} : { avatar: this.#hash }) };
  }

  txt(port: number): [string, string][] {
    return buildTxt({ ...this.#presence(this.#spoken), port, label: this.#init.label, ...(this.#hash === undefined ? {} : { avatar: this.#hash }) });
  }

  /** Beside SRV and TXT at the instance. */
  get records(): readonly InstanceRecord[] {
    return this.#avatar ? [{ type: NULL_RECORD, bytes: this.#avatar }] : [];
  }

  /** The link is there: it is told when something has changed. */
  use(changed: () => void): void {
    this.#changed = changed;
  }

  async setStatus(status: PeerStatus, text?: string): Promise<void> {
    if (!STATUSES.includes(status)) throw new LanpostError('invalid-value', `a status is one of ${STATUSES.join(', ')}`);
    if (text !== undefined && typeof text !== 'string') throw new TypeError('the text of a status must be a string');
    if (Buffer.byteLength(text ?? '') > TEXT_BYTES) throw new LanpostError('too-large', `the text of a status has at most ${TEXT_BYTES} bytes`);
    await this.#change((before) => ({ ...before, status, text: text || undefined }));
  }

  async setAbout(changes: About): Promise<void> {
    const checked = checkedAbout(changes, 'about');
    await this.#change((before) => ({ ...before, about: changedAbout(before.about, checked), kept: changedAbout(before.kept, checked) }));
  }

  /** Without an image: none any more. */
  async setAvatar(image: Uint8Array | undefined): Promise<void> {
    const checked = image === undefined ? undefined : checkedAvatar(image);
    await this.#queued(async () => {
      await this.#init.registry.set(AVATAR_ROW, checked);
      this.#show(checked);
      this.#changed();
    });
  }

  #change(change: (before: Spoken) => Spoken): Promise<void> {
    return this.#queued(async () => {
      const spoken = change(this.#spoken);
      const { status, text, kept } = spoken;
      this.#check(spoken);
      await this.#init.registry.set(ROW, { status, ...(text === undefined ? {} : { text }), about: kept });
      this.#spoken = spoken;
      this.#changed();
    });
  }

  /** One after the other; what is refused or cannot be kept changes nothing. */
  #queued(change: () => Promise<void>): Promise<void> {
    const changing = this.#changing.then(change);
    this.#changing = changing.catch(() => undefined); // told to whoever asked for it
    return changing;
  }

  #show(image: Uint8Array | undefined): void {
    this.#avatar = image;
    this.#hash = image && avatarHash(image);
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
