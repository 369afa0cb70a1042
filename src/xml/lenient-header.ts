// COMPAT(libpurple 2.14): it does not escape names in its stream header: `to="q"uo&te<d>@h3"`.
import { Element } from './element.ts';
import { ownText } from './text.ts';

/** A header longer than this is no header. */
export const MAX_HEADER = 4096;

const END = /["'][ \t\r\n]*>/;
const OPEN = /^<((?:[A-Za-z_][\w.-]*:)?stream)(?=[ \t\r\n])/;
const NEXT = /[ \t\r\n]+((?:xmlns|xml):[A-Za-z_][\w.-]*|xmlns|from|to|id|version)=(["'])/g;
const PREDEFINED: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&apos;': "'" };

/** Length of the header tag at the start of `text` if it ends there, else undefined. */
export function lenientEnd(text: string): number | undefined {
  const found = END.exec(text);
  return found ? found.index + found[0].length : undefined;
}

/** Reads a header by looking for the known attribute names: whatever lies between two belongs to the first. */
export function parseLenientHeader(raw: string): Element | undefined {
  const name = OPEN.exec(raw)?.[1];
  if (name === undefined) return undefined;
  const element = new Element(name);
  const marks = [...raw.matchAll(NEXT)];
  for (const [index, mark] of marks.entries()) {
    const until = marks[index + 1]?.index ?? raw.length;
    const rest = raw.slice(mark.index + mark[0].length, until);
    const end = rest.lastIndexOf(mark[2] ?? '"');
    const key = mark[1] ?? '';
    if (end >= 0 && !Object.hasOwn(element.attrs, key)) element.attrs[key] = ownText(decode(rest.slice(0, end)));
  }
  return element;
}

function decode(text: string): string {
  return text.replace(/&(?:amp|lt|gt|quot|apos);/g, (entity) => PREDEFINED[entity] ?? entity);
}
