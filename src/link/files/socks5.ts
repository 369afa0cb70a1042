// RFC 1928 as XEP-0065 uses it: no authentication, CONNECT to a domain name that is a hash. Bytes in, bytes out.

const VERSION = 5;
const NO_AUTHENTICATION = 0;
const NONE_ACCEPTABLE = 0xff;
const CONNECT = 1;
const DOMAIN = 3;
/** RFC 1928 §6: the replies there is a use for. */
const SUCCEEDED = 0;
const NOT_ALLOWED = 2;
const COMMAND_UNKNOWN = 7;
const ADDRESS_UNKNOWN = 8;
/** Bytes of an address by its type (RFC 1928 §5); a domain name says its own. */
const ADDRESS_BYTES: Readonly<Record<number, number>> = { 1: 4, 4: 16 };
const NOTHING: Buffer = Buffer.alloc(0);

/** What is to be sent, and how far it is. `open`: from here on the bytes are the file's; `rest` are the first of them. */
export interface Socks5Step {
  readonly send: Buffer;
  readonly state: 'more' | 'open' | 'refused';
  readonly rest: Buffer;
}

const more = (send: Buffer = NOTHING): Socks5Step => ({ send, state: 'more', rest: NOTHING });
const refused = (send: Buffer = NOTHING): Socks5Step => ({ send, state: 'refused', rest: NOTHING });

/** The half that is connected to, the streamhost. */
export class Socks5Host {
  readonly #wanted: string;
  #buffer: Buffer = NOTHING;
  #state: 'greeting' | 'request' | 'over' = 'greeting';

  /** `wanted`: the one destination there is. */
  constructor(wanted: string) {
    this.#wanted = wanted;
  }

  receive(bytes: Uint8Array): Socks5Step {
    if (this.#state === 'over') return refused();
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    const greeted = this.#state === 'greeting' ? this.#greeting() : more();
    if (this.#state !== 'request') return greeted;
    const step = this.#request();
    if (step.state !== 'more') this.#state = 'over';
    return { ...step, send: Buffer.concat([greeted.send, step.send]) };
  }

  /** VER NMETHODS METHODS (RFC 1928 §3). */
  #greeting(): Socks5Step {
    const [version, count] = this.#buffer;
    if (version !== undefined && version !== VERSION) return this.#refuse();
    if (count === undefined || this.#buffer.length < 2 + count) return more();
    const methods = this.#buffer.subarray(2, 2 + count);
    if (!methods.includes(NO_AUTHENTICATION)) return this.#refuse(Buffer.of(VERSION, NONE_ACCEPTABLE));
    this.#buffer = this.#buffer.subarray(2 + count);
    this.#state = 'request';
    return more(Buffer.of(VERSION, NO_AUTHENTICATION));
  }

  /** VER CMD RSV ATYP DST.ADDR DST.PORT (RFC 1928 §4). */
  #request(): Socks5Step {
    const [version, command, , type, length] = this.#buffer;
    if (version !== undefined && version !== VERSION) return refused();
    if (command !== undefined && command !== CONNECT) return refused(reply(COMMAND_UNKNOWN));
    if (type !== undefined && type !== DOMAIN) return refused(reply(ADDRESS_UNKNOWN));
    if (length === undefined || this.#buffer.length < 7 + length) return more();
    if (this.#buffer.toString('latin1', 5, 5 + length) !== this.#wanted) return refused(reply(NOT_ALLOWED));
    // XEP-0065 §5.3.2: BND.ADDR and BND.PORT are those that were asked for.
    return { send: Buffer.concat([Buffer.of(VERSION, SUCCEEDED, 0), this.#buffer.subarray(3, 7 + length)]), state: 'open', rest: this.#buffer.subarray(7 + length) };
  }

  #refuse(send?: Buffer): Socks5Step {
    this.#state = 'over';
    return refused(send);
  }
}

/** The half that connects. */
export class Socks5Client {
  readonly #destination: string;
  #buffer: Buffer = NOTHING;
  #state: 'method' | 'reply' | 'over' = 'method';

  constructor(destination: string) {
    this.#destination = destination;
  }

  /** The first bytes, before any came. */
  start(): Buffer {
    return Buffer.of(VERSION, 1, NO_AUTHENTICATION);
  }

  receive(bytes: Uint8Array): Socks5Step {
    if (this.#state === 'over') return refused();
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    const chosen = this.#state === 'method' ? this.#method() : more();
    if (this.#state !== 'reply') return chosen;
    const step = this.#reply();
    if (step.state !== 'more') this.#state = 'over';
    return { ...step, send: chosen.send };
  }

  #method(): Socks5Step {
    const [version, method] = this.#buffer;
    if ((version !== undefined && version !== VERSION) || (method !== undefined && method !== NO_AUTHENTICATION)) {
      this.#state = 'over';
      return refused();
    }
    if (method === undefined) return more();
    this.#buffer = this.#buffer.subarray(2);
    this.#state = 'reply';
    const name = Buffer.from(this.#destination);
    return more(Buffer.concat([Buffer.of(VERSION, CONNECT, 0, DOMAIN, name.length), name, Buffer.of(0, 0)]));
  }

  /** VER REP RSV ATYP BND.ADDR BND.PORT (RFC 1928 §6). */
  #reply(): Socks5Step {
    const [version, code, , type, length] = this.#buffer;
    if ((version !== undefined && version !== VERSION) || (code !== undefined && code !== SUCCEEDED)) return refused();
    if (type === undefined) return more();
    const address = type === DOMAIN ? length : ADDRESS_BYTES[type];
    if (address === undefined) return type === DOMAIN ? more() : refused();
    // COMPAT(libpurple 2.14): BND.ADDR is our own IP address instead of what was asked for, so it is not looked at.
    const end = 4 + (type === DOMAIN ? 1 : 0) + address + 2;
    return this.#buffer.length < end ? more() : { send: NOTHING, state: 'open', rest: this.#buffer.subarray(end) };
  }
}

function reply(code: number): Buffer {
  return Buffer.of(VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0);
}
