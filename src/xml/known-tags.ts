// Opening tags that have been read before: what a stream brings is the same few, over and over.
import { Element } from './element.ts';
import { ownText } from './text.ts';

/** Tags remembered, and characters of one. */
const REMEMBERED = 64;
const LONGEST = 128;

interface Tag {
  readonly raw: string;
  readonly name: string;
  readonly keys: readonly string[];
  readonly values: readonly string[];
  readonly empty: boolean;
  /** What came after it last. */
  next: Tag | undefined;
}

/** Only tags without prefixes, which mean the same wherever they stand. */
export class KnownTags {
  readonly #tags = new Map<string, Tag>();
  #last: Tag | undefined;

  /** The element of the tag that begins at `at`, and where it ends, if it is a known one. */
  find(text: string, at: number): { readonly element: Element; readonly empty: boolean; readonly end: number } | undefined {
    const tag = this.#at(text, at);
    if (!tag) return undefined;
    const element = new Element(tag.name);
    const { keys, values } = tag;
    for (let i = 0; i < keys.length; i++) element.attrs[keys[i]!] = values[i];
    return { element, empty: tag.empty, end: at + tag.raw.length };
  }

  #at(text: string, at: number): Tag | undefined {
    // One stanza after the other has the same tags in the same order: then nothing is cut out to be looked up.
    const guess = this.#last?.next;
    if (guess && text.startsWith(guess.raw, at)) {
      this.#last = guess;
      return guess;
    }
    const end = text.indexOf('>', at) + 1;
    if (end <= 0 || end - at > LONGEST) return undefined;
    // A tag that ends there as a whole has no `>` in a value, and neither has one that begins alike.
    const tag = this.#tags.get(text.slice(at, end));
    if (tag && this.#last) this.#last.next = tag;
    if (tag) this.#last = tag;
    return tag;
  }

  keep(raw: string, element: Element, empty: boolean): void {
    if (raw.length > LONGEST || element.name.includes(':')) return;
    const attrs = Object.entries(element.attrs).map(([key, value]): [string, string] => [key, String(value)]);
    if (attrs.some(([key, value]) => key.includes(':') || value.includes('>'))) return;
    // Those that come again are soon back.
    if (this.#tags.size >= REMEMBERED) {
      this.#tags.clear();
      this.#last = undefined;
    }
    const own = ownText(raw);
    this.#tags.set(own, { raw: own, next: undefined, name: element.name, keys: attrs.map(([key]) => key), values: attrs.map(([, value]) => value), empty });
  }
}
