// A push reader for one document whose root stays open: text in any chunking, complete children out.
// Linear in its input, strict where RFC 6120 §11 is, and it holds no more than one child's limit.
import type { Element } from './element.ts';
import { XmlFault } from './fault.ts';
import { lenientEnd, MAX_HEADER, parseLenientHeader } from './lenient-header.ts';
import { KnownTags } from './known-tags.ts';
import { decodeText, hasIllegal, normaliseLines, ownText } from './text.ts';
import { isCloseTagOf, parseCloseTag, parseOpenTag } from './tag.ts';

export interface XmlLimits {
  /** UTF-8 bytes of one child of the root, or of the root's own tag. */
  readonly stanzaBytes: number;
  /** Elements within one another in one child. */
  readonly depth: number;
}

export type XmlEvent =
  | { readonly type: 'open'; readonly element: Element }
  | { readonly type: 'child'; readonly element: Element; readonly memory: number }
  | { readonly type: 'close' }
  | { readonly type: 'fault'; readonly fault: XmlFault };

type State = 'text' | 'tag' | 'markup' | 'comment' | 'cdata' | 'declaration' | 'header';

const LT = 60, SLASH = 47, GT = 62, QUOTE = 34, APOSTROPHE = 39;
const SPACE = /^[ \t\r\n]*$/;
const DECLARATION = /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:'1\.[0-9]+'|"1\.[0-9]+")(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:'([A-Za-z][\w.-]*)'|"([A-Za-z][\w.-]*)"))?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:'(?:yes|no)'|"(?:yes|no)"))?[ \t\r\n]*\?>$/;
const MARKUP = ['<!--', '<![CDATA['] as const;
/** Bytes that an element takes beside those of its text (measured: 155, without attributes). */
const ELEMENT_MEMORY = 192;

export class XmlReader {
  readonly #limits: XmlLimits;
  readonly #maxElements: number;
  readonly #lenient: boolean;
  #state: State = 'text';
  /** The token so far; a rope, flattened now and then so that tiny chunks cost no more than their bytes. */
  #token = '';
  #pieces = 0;
  /** The token's last characters, where an end mark may have begun: cut from the rope they would flatten it each time. */
  #tail = '';
  #quote = 0;
  #root: Element | undefined;
  #cursor: Element | null = null;
  #depth = 0;
  #bytes = 0;
  #elements = 0;
  #first = true;
  #over = false;
  #events: XmlEvent[] = [];
  readonly #known = new KnownTags();

  constructor(options: { readonly limits: XmlLimits; readonly lenientHeader?: boolean }) {
    this.#limits = options.limits;
    this.#lenient = options.lenientHeader ?? false;
    // Each element costs far more memory than its few bytes on the wire.
    this.#maxElements = Math.max(1024, options.limits.stanzaBytes >> 4);
  }

  /** Bytes of memory, about, of what has begun and not ended. */
  get memory(): number {
    return this.#over ? 0 : this.#bytes + this.#elements * ELEMENT_MEMORY;
  }

  /** `ascii` says that every character is one byte, which spares the counting. */
  write(text: string, ascii = false): XmlEvent[] {
    if (this.#over) return [];
    this.#events = [];
    try {
      if (hasIllegal(text)) throw new XmlFault('not-well-formed', 'a character XML does not have');
      for (let at = 0; at < text.length && !this.#over;) at = this.#step(text, at, ascii);
    } catch (error) {
      this.#over = true;
      const fault = error instanceof XmlFault ? error : new XmlFault('not-well-formed', 'not XML');
      this.#events.push({ type: 'fault', fault });
    }
    if (this.#over) this.#forget();
    return this.#events;
  }

  #forget(): void {
    this.#token = '';
    this.#root = undefined;
    this.#cursor = null;
  }

  #step(text: string, at: number, ascii: boolean): number {
    switch (this.#state) {
      case 'text': return this.#text(text, at, ascii);
      case 'tag': return this.#tag(text, at, ascii);
      case 'markup': return this.#markup(text, at, ascii);
      case 'comment': return this.#until('-->', text, at, ascii, () => undefined);
      case 'cdata': return this.#until(']]>', text, at, ascii, (token) => this.#append(ownText(normaliseLines(token.slice(9, -3)))));
      case 'declaration': return this.#until('?>', text, at, ascii, (token) => checkDeclaration(token));
      default: return this.#header(text, at, ascii);
    }
  }

  #count(text: string, from: number, to: number, ascii: boolean): void {
    this.#bytes += ascii ? to - from : Buffer.byteLength(text.slice(from, to));
    if (this.#bytes > this.#limits.stanzaBytes) throw new XmlFault('policy-violation', `more than ${this.#limits.stanzaBytes} bytes in one stanza`);
  }

  #take(text: string, from: number, to: number, ascii: boolean): string {
    this.#count(text, from, to, ascii);
    this.#token += text.slice(from, to);
    if (++this.#pieces % 256 === 0) this.#token = Buffer.from(this.#token).toString();
    return this.#token;
  }

  #next(state: State): void {
    this.#state = state;
    this.#token = '';
    this.#pieces = 0;
    this.#tail = '';
    this.#quote = 0;
  }

  #text(text: string, at: number, ascii: boolean): number {
    const found = text.indexOf('<', at);
    const end = found < 0 ? text.length : found;
    if (end > at) {
      this.#first = false;
      if (this.#depth >= 2) this.#take(text, at, end, ascii);
      else if (!SPACE.test(text.slice(at, end))) throw new XmlFault(this.#root ? 'bad-format' : 'not-well-formed', 'text between stanzas');
    }
    if (found < 0) return end;
    if (this.#token !== '') this.#append(decodeText(this.#token));
    this.#next('tag');
    return found;
  }

  #append(text: string): void {
    if (text === '') return;
    if (this.#depth < 2 || !this.#cursor) throw new XmlFault(this.#root ? 'bad-format' : 'not-well-formed', 'text between stanzas');
    const { children } = this.#cursor;
    const last = children.at(-1);
    if (typeof last === 'string') children[children.length - 1] = last + text;
    else children.push(text);
  }

  #tag(text: string, at: number, ascii: boolean): number {
    if (this.#token === '' && this.#root) {
      const known = this.#knownTag(text, at, ascii);
      if (known > at) return known;
    }
    let i = at;
    for (; i < text.length; i++) {
      if (this.#quote !== 0) {
        i = text.indexOf(this.#quote === QUOTE ? '"' : "'", i);
        if (i < 0) { i = text.length; break; }
        this.#quote = 0;
        continue;
      }
      const c = text.charCodeAt(i);
      if (c === GT) {
        this.#finishTag(this.#take(text, at, i + 1, ascii));
        return i + 1;
      }
      if (c === QUOTE || c === APOSTROPHE) this.#quote = c;
      else if (c === LT && (this.#token !== '' || i > at)) throw new XmlFault('not-well-formed', '< within a tag');
      else if ((c === 33 || c === 63) && this.#token.length + i - at === 1) { // <! and <?
        this.#take(text, at, i + 1, ascii);
        if (c === 63) this.#startDeclaration();
        else this.#state = 'markup';
        return i + 1;
      } else if (this.#lenient && !this.#root && c !== LT) {
        this.#state = 'header';
        return at;
      }
    }
    this.#take(text, at, i, ascii);
    return i;
  }

  /** Where the tag that begins there ends, if it needs no reading; else `at`. */
  #knownTag(text: string, at: number, ascii: boolean): number {
    if (text.charCodeAt(at + 1) === SLASH) {
      const open = this.#cursor?.name ?? '';
      const end = at + open.length + 3;
      if (open === '' || text.charCodeAt(end - 1) !== GT || !text.startsWith(open, at + 2)) return at;
      this.#count(text, at, end, ascii);
      this.#close(open);
      return end;
    }
    const known = this.#known.find(text, at);
    if (!known) return at;
    this.#count(text, at, known.end, ascii);
    known.element.parent = this.#cursor;
    this.#next('text');
    this.#open(known.element, known.empty);
    return known.end;
  }

  #startDeclaration(): void {
    if (!this.#first) throw new XmlFault('restricted-xml', 'processing instruction');
    this.#state = 'declaration';
  }

  #markup(text: string, at: number, ascii: boolean): number {
    const token = this.#take(text, at, at + 1, ascii);
    if (token === MARKUP[0]) this.#state = 'comment';
    else if (token === MARKUP[1]) this.#state = 'cdata';
    // RFC 6120 §11.1: no DTD, no internal or external subset.
    else if (!MARKUP.some((start) => start.startsWith(token))) throw new XmlFault('restricted-xml', 'document type declaration');
    return at + 1;
  }

  /** Comments, CDATA and the declaration: gather up to the end mark, which may lie across two chunks. */
  #until(mark: string, text: string, at: number, ascii: boolean, done: (token: string) => void): number {
    const tail = this.#tail;
    const window = tail + text.slice(at);
    const found = window.indexOf(mark);
    const end = found < 0 ? text.length : at + found + mark.length - tail.length;
    const token = this.#take(text, at, end, ascii);
    if (found >= 0) {
      done(token);
      this.#first = false;
      this.#next('text');
      if (this.#depth < 2) this.#bytes = 0;
    } else {
      this.#tail = window.slice(1 - mark.length);
      if (this.#state === 'comment') this.#token = '';
    }
    return end;
  }

  #finishTag(token: string): void {
    this.#first = false;
    if (token.charCodeAt(1) === 47) {
      const open = this.#cursor?.name;
      this.#close(open !== undefined && isCloseTagOf(token, open) ? open : parseCloseTag(token));
      return;
    }
    const { element, empty } = parseOpenTag(token, this.#cursor);
    if (this.#depth > 1) this.#known.keep(token, element, empty);
    this.#next('text');
    this.#open(element, empty);
  }

  /** The root's tag, read leniently: it ends at the first `>` after a quote, whatever lies before. */
  #header(text: string, at: number, ascii: boolean): number {
    this.#first = false;
    const before = this.#token.length;
    // Never more than a header's length: reading it leniently takes time by the square of it.
    const token = this.#take(text, at, Math.min(text.length, at + MAX_HEADER + 1 - before), ascii);
    const end = lenientEnd(token);
    if (end === undefined) {
      if (token.length > MAX_HEADER) throw new XmlFault('not-well-formed', 'malformed stream header');
      return text.length;
    }
    const element = readHeader(token.slice(0, end));
    this.#next('text');
    this.#open(element, false);
    return at + end - before;
  }

  #open(element: Element, empty: boolean): void {
    this.#depth++;
    if (this.#depth - 1 > this.#limits.depth) throw new XmlFault('policy-violation', `elements more than ${this.#limits.depth} deep`);
    if (++this.#elements > this.#maxElements) throw new XmlFault('policy-violation', `more than ${this.#maxElements} elements in one stanza`);
    if (this.#depth === 1) {
      if (this.#root) throw new XmlFault('not-well-formed', 'a second root');
      this.#root = element;
      this.#events.push({ type: 'open', element });
      this.#reset();
    } else if (this.#depth > 2) this.#cursor?.children.push(element);
    this.#cursor = element;
    if (empty) this.#close(element.name);
  }

  #close(name: string): void {
    const element = this.#cursor;
    if (!element || element.name !== name) throw new XmlFault('not-well-formed', `</${name.slice(0, 32)}> closes nothing`);
    this.#next('text');
    this.#depth--;
    this.#cursor = element.parent;
    if (this.#depth === 1) {
      const { memory } = this;
      this.#reset();
      this.#events.push({ type: 'child', element, memory });
    } else if (this.#depth === 0) {
      this.#over = true;
      this.#events.push({ type: 'close' });
    }
  }

  #reset(): void {
    this.#bytes = 0;
    this.#elements = 0;
  }
}

function readHeader(token: string): Element {
  try {
    const { element, empty } = parseOpenTag(token, null);
    if (!empty) return element;
  } catch (error) {
    if (!(error instanceof XmlFault)) throw error;
    const element = parseLenientHeader(token);
    if (element) return element;
  }
  throw new XmlFault('not-well-formed', 'malformed stream header');
}

function checkDeclaration(token: string): void {
  const found = DECLARATION.exec(token);
  if (!found) throw new XmlFault(/^<\?xml[ \t\r\n]/.test(token) ? 'not-well-formed' : 'restricted-xml', 'processing instruction');
  const encoding = found[1] ?? found[2];
  // RFC 6120 §4.9.3.22, §11.6: UTF-8 only.
  if (encoding !== undefined && encoding.toLowerCase() !== 'utf-8') throw new XmlFault('unsupported-encoding', `encoding ${encoding.slice(0, 32)}`);
}
