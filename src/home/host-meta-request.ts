import type { Dialing } from './dial.ts';
import { MAX_HOST_META } from './host-meta.ts';
import { dialUrl, exchange, refusalOf } from './https.ts';
import { Unusable } from './loss.ts';

/** RFC 6415 §2: elsewhere, but not out of TLS. */
const MAX_REDIRECTS = 3;
const DEADLINE = 5_000;

/** The text behind the address, and behind where it sends on to; each server's certificate is looked at. */
export async function encryptedAnswer(url: URL, ca: string | undefined, dialing: Dialing): Promise<string> {
  const late = new AbortController();
  const timer = dialing.clock.after(DEADLINE, () => late.abort(new Unusable(`${url.host} did not answer within ${DEADLINE / 1000} s`)));
  const signal = AbortSignal.any([dialing.signal, late.signal]);
  try {
    let at = url;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const over = await dialUrl(at, { ca }, { ...dialing, signal });
      try {
        const { status, headers, body } = await exchange({ url: at, over, method: 'GET', maxBytes: MAX_HOST_META, signal });
        if (status === 200) return body;
        const { location } = headers;
        if (status < 300 || status > 399 || location === undefined || !URL.canParse(location, at.href)) throw refusalOf(at.host, status);
        at = new URL(location, at);
        if (at.protocol !== 'https:') throw new Unusable(`${url.host} sends on to what is not encrypted`);
      } finally {
        over.destroy();
      }
    }
    throw new Unusable(`${url.host} sends on and on`);
  } finally {
    timer.stop();
  }
}
