// SOCKS5 as a client (RFC 1928, RFC 1929), sans-IO. Names are looked up by the proxy: asked here, they would tell this
// network where the box goes, and it may not know.
import { isIP } from 'node:net';
import { Unusable } from './loss.ts';
import type { Greeting, Proxied } from './proxy-greeting.ts';

const VERSION = 5;
const NO_AUTH = 0;
const PASSWORD = 2;

/** RFC 1928 §6. */
const REPLIES: readonly string[] = [
  'succeeded', 'it failed', 'its rules forbid it', 'the network is unreachable', 'the host is unreachable', 'the connection was refused',
  'it took too long', 'it knows no CONNECT', 'it knows no such kind of address',
];

export function socks5(to: { readonly host: string; readonly port: number }, credentials: { readonly user?: string; readonly password?: string }): Greeting {
  const { user, password = '' } = credentials;
  let kept = Buffer.alloc(0);
  let step: 'method' | 'password' | 'reply' = 'method';
  const take = (count: number): Buffer => {
    const taken = kept.subarray(0, count);
    kept = kept.subarray(count);
    return taken;
  };
  const request = (): Proxied => {
    step = 'reply';
    return { say: Buffer.concat([Buffer.from([VERSION, 1, 0]), address(to.host), Buffer.from([to.port >> 8, to.port & 0xff])]) };
  };
  return {
    first: Buffer.from(user === undefined ? [VERSION, 1, NO_AUTH] : [VERSION, 2, NO_AUTH, PASSWORD]),
    receive(bytes): Proxied {
      kept = Buffer.concat([kept, bytes]);
      if (step === 'reply') return reply();
      if (kept.length < 2) return {};
      const [version, answer] = take(2);
      // Nothing may follow before it is asked for: else what is read next was said to no question.
      if (kept.length > 0) throw new Unusable('the proxy says more than SOCKS5 has');
      if (step === 'password') {
        // RFC 1929 §2: the version of this part is 1, but some say 5.
        if (answer !== 0) throw new Unusable('the proxy refused the credentials');
        return request();
      }
      if (version !== VERSION) throw new Unusable('the proxy does not speak SOCKS5');
      if (answer === NO_AUTH) return request();
      if (answer !== PASSWORD || user === undefined) throw new Unusable('the proxy asks for other credentials');
      step = 'password';
      const [name, secret] = [Buffer.from(user), Buffer.from(password)];
      return { say: Buffer.concat([Buffer.from([1, name.length]), name, Buffer.from([secret.length]), secret]) };
    },
  };

  /** RFC 1928 §6: version, reply, reserved, and an address that nobody needs. */
  function reply(): Proxied {
    if (kept.length < 5) return {};
    const [version, code = 1, , kind, length = 0] = kept;
    if (version !== VERSION) throw new Unusable('the proxy does not speak SOCKS5');
    if (code !== 0) throw new Error(`the proxy would not connect: ${REPLIES[code] ?? `reply ${code}`}`);
    const bytes = kind === 1 ? 4 : kind === 4 ? 16 : kind === 3 ? 1 + length : undefined;
    if (bytes === undefined) throw new Unusable('the proxy does not speak SOCKS5');
    if (kept.length < 4 + bytes + 2) return {};
    take(4 + bytes + 2);
    return { rest: kept };
  }
}

function address(host: string): Buffer {
  const family = isIP(host);
  if (family === 4) return Buffer.from([1, ...host.split('.').map(Number)]);
  if (family === 6) return Buffer.concat([Buffer.from([4]), ipv6(host)]);
  const name = Buffer.from(host);
  if (name.length > 255) throw new Unusable('the host\'s name is too long for SOCKS5');
  return Buffer.concat([Buffer.from([3, name.length]), name]);
}

const groups = (text: string | undefined): number[] => (text === undefined || text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));

function ipv6(host: string): Buffer {
  // The URL parser writes any form of it, also one that ends as IPv4, in groups of hexadecimal.
  const [before = '', after] = new URL(`http://[${host.replace(/%.*$/, '')}]`).hostname.slice(1, -1).split('::');
  const [head, tail] = [groups(before), groups(after)];
  return Buffer.from([...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail].flatMap((group) => [group >> 8, group & 0xff]));
}
