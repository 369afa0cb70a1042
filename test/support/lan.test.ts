import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLan, type Lan } from './lan.ts';
import { needs } from './needs.ts';

const PING = fileURLToPath(new URL('ping.py', import.meta.url));
const reaches = async (lan: Lan, from: number, to: number): Promise<boolean> =>
  (await lan.run(from, 'python3', [PING, lan.address(to), '1', '1', '0.5'])).includes('"answers": [0]');

describe.skipIf(!needs('root', 'python3'))('the private LAN', () => {
  let lan: Lan;
  beforeAll(async () => { lan = await createLan(3, { names: ['kitchen', 'cellar'] }); });
  afterAll(() => lan.down());

  it('joins its hosts, each with a name of its own', async () => {
    expect(await reaches(lan, 1, 2)).toBe(true);
    expect(await reaches(lan, 3, 2)).toBe(true);
    expect([await lan.run(1, 'hostname'), await lan.run(2, 'hostname'), await lan.run(3, 'hostname')]).toEqual(['kitchen\n', 'cellar\n', 'h3\n']);
  });

  it('cuts a host off silently: its link stays up', async () => {
    await lan.silentCut(1);
    expect(await reaches(lan, 1, 2)).toBe(false);
    expect(await lan.run(1, 'cat', ['/sys/class/net/eth0/operstate'])).toBe('up\n');
    await lan.restore(1);
    expect(await reaches(lan, 1, 2)).toBe(true);
  });

  it('parts into segments and heals', async () => {
    await lan.partition([1], [2, 3]);
    expect(await reaches(lan, 1, 2)).toBe(false);
    expect(await reaches(lan, 2, 3)).toBe(true);
    await lan.heal();
    expect(await reaches(lan, 1, 2)).toBe(true);
  });

  it('has ports that can be isolated, made narrow, and unplugged', async () => {
    await Promise.all([1, 2].map((host) => lan.port(host, { isolated: true })));
    expect([await reaches(lan, 1, 2), await reaches(lan, 1, 3)]).toEqual([false, true]);
    await Promise.all([1, 2].map((host) => lan.port(host, { isolated: false })));
    await lan.port(2, { up: false });
    expect(await reaches(lan, 1, 2)).toBe(false);
    await lan.port(2, { up: true, mtu: 1280 });
    expect(await reaches(lan, 1, 2)).toBe(true);
    await lan.port(2, { mtu: 1500 });
  });

  it('kills what runs in it when it goes down', async () => {
    const other = await createLan(1);
    const child = other.exec(1, 'sleep', ['1000']);
    const ended = new Promise((resolve) => { child.once('exit', (_code, signal) => resolve(signal)); });
    await other.down();
    expect(await ended).toBe('SIGKILL');
  });

  it.skipIf(!needs('avahi-daemon'))('runs an avahi-daemon in each host, which see each other', async () => {
    await Promise.all([lan.avahi(1), lan.avahi(2)]);
    const publisher = lan.exec(1, 'avahi-publish', ['-s', 'a thing', '_presence._tcp', '5298', 'txtvers=1']);
    const browser = lan.exec(2, 'avahi-browse', ['-p', '_presence._tcp']);
    const found = await new Promise((resolve) => {
      createInterface({ input: browser.stdout }).on('line', (line) => { if (line.startsWith('+;eth0;IPv4;')) resolve(line); });
    });
    expect(found).toContain('a\\032thing');
    browser.kill();
    const closed = once(publisher, 'close');
    publisher.kill();
    await closed;
  });
});
