// A proxy as the owner names it. Its password is in no text that anybody is shown.
import { LanpostError } from '../errors.ts';

export interface Proxy {
  readonly kind: 'http' | 'socks5';
  readonly host: string;
  readonly port: number;
  readonly user?: string;
  readonly password?: string;
}

const PORTS = { http: 8080, socks5: 1080 } as const;
/** RFC 1929 §2: one byte says how long each is. */
const MAX_CREDENTIAL = 255;

const wrong = (why: string): LanpostError => new LanpostError('invalid-value', `Not a proxy: ${why}. Give it as http://[USER:PASSWORD@]HOST[:PORT] or socks5://….`);

/** Throws LanpostError for what names no proxy; what was given is not repeated. */
export function parseProxy(text: string): Proxy {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw wrong('it is no URL'); // its message repeats the text, password and all
  }
  const kind = url.protocol === 'http:' ? 'http' : url.protocol === 'socks5:' || url.protocol === 'socks5h:' ? 'socks5' : undefined;
  if (kind === undefined) throw wrong(`${url.protocol} is none that is known`);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (host === '') throw wrong('it names no host');
  if ((url.pathname !== '' && url.pathname !== '/') || url.search !== '' || url.hash !== '') throw wrong('there is something behind the port');
  let user: string;
  let password: string;
  try {
    [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  } catch {
    throw wrong('its credentials are not percent-encoded as they should be'); // the same
  }
  for (const credential of [user, password]) if (Buffer.byteLength(credential) > MAX_CREDENTIAL) throw wrong(`its credentials are longer than ${MAX_CREDENTIAL} bytes`);
  // `new URL` leaves out the port that is http's own, 80.
  const port = url.port !== '' ? Number(url.port) : /:80\/?$/.test(text) ? 80 : PORTS[kind];
  return { kind, host, port, ...(user === '' ? {} : { user }), ...(password === '' ? {} : { password }) };
}
