// XEP-0059: Result Set Management, version 1.0: which part of a long answer is asked for, and which part an answer is.
import { children, type Element, namespaceOf, xml } from '../xml/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';

export const NS_RSM = 'http://jabber.org/protocol/rsm';

/** At most one of `after`, `before` and `index`; an empty `before` asks for the last page (§2.5). */
export interface PageRequest {
  readonly max?: number;
  readonly after?: string;
  readonly before?: string;
  readonly index?: number;
}

/** What an answer says of itself. `first` and `last` are absent when the page is empty (§2.2). */
export interface PageInfo {
  readonly first?: string;
  readonly last?: string;
  /** Position of the first in the whole; absent when finding it out would cost too much. */
  readonly index?: number;
  readonly count?: number;
}

/** The `<set/>` among these, read; undefined when there is none. */
export function readSet(parent: Element): PageRequest | undefined {
  const set = children(parent).find((child) => child.name === 'set' && namespaceOf(child) === NS_RSM);
  if (!set) return undefined;
  const [max, index] = [whole(set, 'max'), whole(set, 'index')];
  const [after, before] = [textOf(set, 'after'), textOf(set, 'before')];
  if ([after, before, index].filter((one) => one !== undefined).length > 1) throw new StanzaError('bad-request', { text: 'one of after, before and index' });
  return {
    ...(max === undefined ? {} : { max }), ...(index === undefined ? {} : { index }),
    ...(after === undefined ? {} : { after }), ...(before === undefined ? {} : { before }),
  };
}

/** What asks for a part (§2.1). */
export function requestElement({ max, after, before }: PageRequest): Element {
  return xml('set', { xmlns: NS_RSM },
    max === undefined ? undefined : xml('max', {}, String(max)),
    after === undefined ? undefined : xml('after', {}, after),
    before === undefined ? undefined : xml('before', {}, before),
  );
}

/** What an answer says of itself; undefined where whoever answers knows of no parts. What it says wrongly, it does not say. */
export function readInfo(answer: Element): PageInfo | undefined {
  const set = children(answer).find((child) => child.name === 'set' && namespaceOf(child) === NS_RSM);
  if (!set) return undefined;
  const [first, last, count] = [textOf(set, 'first'), textOf(set, 'last'), textOf(set, 'count')];
  return { ...(first === undefined ? {} : { first }), ...(last === undefined ? {} : { last }), ...(count !== undefined && /^\d{1,15}$/.test(count) ? { count: Number(count) } : {}) };
}

export function setElement({ first, last, index, count }: PageInfo): Element {
  return xml('set', { xmlns: NS_RSM },
    first === undefined ? undefined : xml('first', index === undefined ? {} : { index: String(index) }, first),
    last === undefined ? undefined : xml('last', {}, last),
    count === undefined ? undefined : xml('count', {}, String(count)),
  );
}

/**
 * The page of a list that is in memory, in the order of `idOf`: an id that is gone still says where it was, so no page
 * is ever not found (§2.4).
 */
export function pageOf<T>(all: readonly T[], idOf: (one: T) => string, request: PageRequest, most: number): { readonly page: readonly T[]; readonly info: PageInfo } {
  const size = Math.min(request.max ?? most, most);
  const start = startOf(all.map(idOf), request, size);
  const page = all.slice(start.from, start.to);
  const [first] = page;
  const last = page.at(-1);
  return {
    page,
    info: { ...(first === undefined || last === undefined ? {} : { first: idOf(first), last: idOf(last), index: start.from }), count: all.length },
  };
}

function startOf(ids: readonly string[], { after, before, index }: PageRequest, size: number): { from: number; to: number } {
  if (before !== undefined) {
    const to = before === '' ? ids.length : firstFrom(ids, (id) => id >= before);
    return { from: Math.max(0, to - size), to };
  }
  const from = after === undefined ? index ?? 0 : firstFrom(ids, (id) => id > after);
  return { from, to: from + size };
}

function firstFrom(ids: readonly string[], fits: (id: string) => boolean): number {
  const found = ids.findIndex(fits);
  return found < 0 ? ids.length : found;
}

function whole(set: Element, name: string): number | undefined {
  const text = textOf(set, name);
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text.trim())) throw new StanzaError('bad-request', { text: `<${name}/> must be a whole number` });
  return Number(text);
}

function textOf(set: Element, name: string): string | undefined {
  const child = children(set).find((one) => one.name === name);
  return child?.getText();
}
