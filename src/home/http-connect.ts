// CONNECT (RFC 9110 §9.3.6), sans-IO: what to say to an HTTP proxy, and what its answer means.
import { Unusable } from './loss.ts';
import type { Greeting, Proxied } from './proxy-greeting.ts';

/** Bytes of a proxy's answer, up to its empty line. */
const MAX_HEAD = 8_192;

export function httpConnect(to: { readonly host: string; readonly port: number }, credentials: { readonly user?: string; readonly password?: string }): Greeting {
  const authority = `${to.host.includes(':') ? `[${to.host}]` : to.host}:${to.port}`;
  const { user, password = '' } = credentials;
  const authorization = user === undefined ? '' : `Proxy-Authorization: Basic ${Buffer.from(`${user}:${password}`).toString('base64')}\r\n`;
  let head = Buffer.alloc(0);
  return {
    first: Buffer.from(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`),
    receive(bytes): Proxied {
      head = Buffer.concat([head, bytes]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0 && head.length <= MAX_HEAD) return {};
      if (end < 0 || end > MAX_HEAD) throw new Unusable('the proxy does not answer as HTTP has it');
      const [, status = ''] = /^HTTP\/1\.[01] (\d{3})(?: |\r|$)/.exec(head.subarray(0, end).toString('latin1')) ?? [];
      if (status === '') throw new Unusable('the proxy does not answer as HTTP has it');
      if (status === '407') throw new Unusable('the proxy asks for other credentials (407)');
      // RFC 9110 §9.3.6: any 2xx, and the tunnel begins behind the empty line.
      if (!status.startsWith('2')) throw new Error(`the proxy would not connect: ${status}`);
      return { rest: head.subarray(end + 4) };
    },
  };
}
