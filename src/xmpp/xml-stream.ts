// RFC 6120 §4 as a sans-IO machine: bytes in, events out. It never holds more than one stanza's limit.
import { isAscii } from 'node:buffer';
import { attr, namespaceOf, type Element } from '../xml/element.ts';
import { XmlFault, type XmlCondition } from '../xml/fault.ts';
import { XmlReader, type XmlEvent, type XmlLimits } from '../xml/reader.ts';

export const NS_STREAM = 'http://etherx.jabber.org/streams';
export const NS_CLIENT = 'jabber:client';

/** Bytes of one stanza and depth of its elements, where the caller names none. */
export const STREAM_LIMITS: XmlLimits = { stanzaBytes: 262_144, depth: 64 };

export type StreamEvent =
  | { readonly type: 'header'; readonly name: string; readonly attrs: Readonly<Record<string, string>>; readonly element: Element }
  | { readonly type: 'stanza'; readonly element: Element; readonly memory?: number }
  | { readonly type: 'end' }
  | { readonly type: 'error'; readonly condition: XmlCondition; readonly text: string };

export interface XmlStreamOptions {
  readonly limits?: XmlLimits;
  /** Tolerate a header whose names are not escaped, as link-local peers send. */
  readonly lenientHeader?: boolean;
}

export class XmlStream {
  readonly #options: XmlStreamOptions;
  #reader!: XmlReader;
  #decoder!: TextDecoder;
  #over = false;
  /** The last bytes may be the beginning of a character. */
  #midway = false;

  constructor(options: XmlStreamOptions = {}) {
    this.#options = options;
    this.reset();
  }

  /** A new stream begins, as after STARTTLS and SASL; whatever was half read is forgotten. */
  reset(): void {
    const { limits = STREAM_LIMITS, lenientHeader = false } = this.#options;
    this.#reader = new XmlReader({ limits, lenientHeader });
    this.#decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    this.#over = false;
    this.#midway = false;
  }

  /** Bytes of memory, about, of a stanza that has begun and not ended. */
  get memory(): number {
    return this.#over ? 0 : this.#reader.memory;
  }

  /** Nothing more comes, and nothing that was read is kept. */
  stop(): void {
    this.reset();
    this.#over = true;
  }

  /** After an `error` or `end` nothing more comes until `reset`. */
  receive(bytes: Uint8Array): StreamEvent[] {
    if (this.#over) return [];
    let text: string;
    let ascii = false;
    try {
      [text, ascii] = this.#decode(bytes);
    } catch {
      // TextDecoder says no more than that it is not UTF-8.
      this.#over = true;
      return [{ type: 'error', condition: 'not-well-formed', text: 'not UTF-8' }];
    }
    const events: StreamEvent[] = [];
    for (const event of this.#reader.write(text, ascii)) {
      const out = translate(event);
      events.push(out);
      if (out.type === 'error' || out.type === 'end') {
        this.#over = true;
        break;
      }
    }
    return events;
  }

  /** The text, and whether it is known to be all ASCII, which is quicker to decode (measured: a tenth of the time). */
  #decode(bytes: Uint8Array): [string, boolean] {
    if (!this.#midway && isAscii(bytes)) return [Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'), true];
    this.#midway = (bytes.at(-1) ?? 0) >= 0x80;
    return [this.#decoder.decode(bytes, { stream: true }), false];
  }
}

function translate(event: XmlEvent): StreamEvent {
  if (event.type === 'child') return { type: 'stanza', element: event.element, memory: event.memory };
  if (event.type === 'close') return { type: 'end' };
  const fault = event.type === 'fault' ? event.fault : checkHeader(event.element);
  if (fault) return { type: 'error', condition: fault.condition, text: fault.message };
  if (event.type === 'fault') throw event.fault;
  const { element } = event;
  const attrs: Record<string, string> = {};
  for (const key of Object.keys(element.attrs)) attrs[key] = attr(element, key) ?? '';
  return { type: 'header', name: element.name, attrs, element };
}

/** RFC 6120 §4.8: the root is `stream` in the stream namespace, under whatever prefix or none. */
function checkHeader(element: Element): XmlFault | undefined {
  if (element.getName() !== 'stream') return new XmlFault('bad-format', `the root is ${element.name.slice(0, 32)}, not stream`);
  if (namespaceOf(element) !== NS_STREAM) return new XmlFault('invalid-namespace', 'the root is not in the stream namespace');
  return undefined;
}
