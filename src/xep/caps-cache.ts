import { type Caps, capsVersion, type Info, isSupported, readInfo, verificationString } from './caps.ts';
import type { Element } from '../xmpp/element.ts';

/** Answers remembered, and characters of one: what is longer is not remembered. */
const REMEMBERED = 128;
const LONGEST = 16_384;

/** `learnt`: it is what the hash says. `unchecked`: nothing is said, and so nothing is proven. */
export type Lesson = { readonly outcome: 'learnt' | 'unchecked'; readonly info: Info } | { readonly outcome: 'wrong' };

/** XEP-0115 §5.4, §8.2: what a hash stands for, learnt from whoever told it and could be checked, known of all who announce it. */
export class CapsCache {
  readonly #known = new Map<string, Info>();

  get({ hash, ver }: Caps): Info | undefined {
    if (this.#known.size === 0) return undefined;
    const info = this.#known.get(keyOf(hash, ver));
    if (info) this.#remember(keyOf(hash, ver), info);
    return info;
  }

  /** A disco#info answer of somebody who announces these capabilities. */
  learn({ hash, ver }: Caps, query: Element): Lesson {
    const info = readInfo(query);
    if (!info || verificationString(info).length > LONGEST) return { outcome: 'wrong' };
    if (!isSupported(hash)) return { outcome: 'unchecked', info };
    if (capsVersion(info, hash) !== ver) return { outcome: 'wrong' };
    this.#remember(keyOf(hash, ver), info);
    return { outcome: 'learnt', info };
  }

  /** The longest unused goes first. */
  #remember(key: string, info: Info): void {
    this.#known.delete(key);
    this.#known.set(key, info);
    const [oldest] = this.#known.keys();
    if (this.#known.size > REMEMBERED && oldest !== undefined) this.#known.delete(oldest);
  }
}

const keyOf = (hash: string, ver: string): string => `${hash} ${ver}`;
