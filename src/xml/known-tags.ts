// Opening tags that have been read before: what a stream brings is the same few, over and over.
import { Element } from './element.ts';
import { ownText } from './text.ts';

/** Tags remembered, and characters of one. */
const REMEMBERED = 64;
const LONGEST = 128;

interface Tag { readonly name: string; readonly keys: readonly string[]; readonly values: readonly string[]; readonly empty: boolean }

/** Only tags without prefixes, which mean the same wherever they stand. */
export class KnownTags {
  readonly #tags = new Map<string, Tag>();

  /** The element of the tag that begins at `at`, and where it ends, if it is a known one. */
  find(text: string, at: number): { readonly element: Element; readonly empty: boolean; readonly end: number } | undefined {
    const end = text.indexOf('>', at) + 1;
    if (end <= 0 || end - at > LONGEST) return undefined;
    // A tag that ends there as a whole has no `>` in a value, and neither has one that begins alike.
    const tag = this.#tags.get(text.slice(at, end));
    if (!tag) return undefined;
    const element = new Element(tag.name);
    const { keys, values } = tag;
    for (let i = 0; i < keys.length; i++) element.attrs[keys[i]!] = values[i];
    return { element, empty: tag.empty, end };
  }

  keep(raw: string, element: Element, empty: boolean): void {
    if (raw.length > LONGEST || element.name.includes(':')) return;
    const attrs = Object.entries(element.attrs).map(([key, value]): [string, string] => [key, String(value)]);
    if (attrs.some(([key, value]) => key.includes(':') || value.includes('>'))) return;
    // Those that come again are soon back.
    if (this.#tags.size >= REMEMBERED) this.#tags.clear();
    this.#tags.set(ownText(raw), { name: element.name, keys: attrs.map(([key]) => key), values: attrs.map(([, value]) => value), empty });
  }
}
