import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startBox } from '../support/box.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { Agent, type AgentLine, type AgentOptions } from './mdns-agent.ts';

const TYPE = '_presence._tcp';

describe.skipIf(!needs('root', 'avahi-daemon', 'avahi-browse', 'python3'))('mDNS beside avahi', () => {
  let lan: Lan;
  const agents: Agent[] = [];
  const stops: (() => Promise<void>)[] = [];
  const agent = (host: number, options?: AgentOptions): Agent => {
    const started = new Agent(lan, host, options);
    agents.push(started);
    return started;
  };
  // Hosts 1 and 2 run avahi; 3, 4 and 5 do not, and 4 and 5 have one name.
  beforeAll(async () => {
    lan = await createLan(5, { names: ['attic', 'cellar', 'kitchen', 'twin', 'twin'] });
    await Promise.all([lan.avahi(1), lan.avahi(2)]);
  });
  afterEach(async () => {
    await Promise.all([...agents.splice(0).map((one) => one.close()), ...stops.splice(0).map((stop) => stop())]);
  });
  afterAll(() => lan.down());

  const publish = (host: number, name: string, ...txt: string[]): { stop: () => Promise<void> } => {
    const child = lan.exec(host, 'avahi-publish', ['-s', name, TYPE, '5555', ...txt]);
    const stop = async (): Promise<void> => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const closed = once(child, 'close');
      child.kill();
      await closed;
    };
    stops.push(stop);
    return { stop };
  };

  /** Lines of `avahi-browse -rp`, as they come. */
  const browse = (host: number): { line: (fits: RegExp, timeout?: number) => Promise<string>; seen: string[] } => {
    const child = lan.exec(host, 'avahi-browse', ['-rp', TYPE]);
    const seen: string[] = [];
    const looks = new Set<() => void>();
    createInterface({ input: child.stdout }).on('line', (line) => {
      seen.push(line);
      for (const look of looks) look();
    });
    stops.push(async () => {
      const closed = once(child, 'close');
      child.kill();
      await closed;
    });
    const line = (fits: RegExp, timeout = 30_000): Promise<string> => new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        looks.delete(look);
        settle();
      };
      const look = (): void => {
        const found = seen.find((one) => fits.test(one));
        if (found !== undefined) end(() => resolve(found));
      };
      const timer = setTimeout(() => end(() => reject(new Error(`no ${fits} among\n${seen.join('\n')}`))), timeout);
      looks.add(look);
      look();
    });
    return { line, seen };
  };

  it('avahi sees a box, resolved over both families, and its goodbye', async () => {
    const watcher = browse(1);
    const box = agent(3, { user: 'jörg.b', txt: [['txtvers', '1'], ['status', 'avail'], ['msg', 'grüß dich']] });
    const four = await watcher.line(/^=;eth0;IPv4;j\\195\\182rg\\\.b\\064kitchen;/);
    expect(four).toMatch(/;kitchen\.local;(10\.77\.0\.3|fe80:.*);5298;/);
    expect(four).toContain(String.raw`"msg=gr\195\188\195\159 dich"`);
    expect(await watcher.line(/^=;eth0;IPv6;j\\195\\182rg/)).toMatch(/;kitchen\.local;(fe80::|10\.77\.0\.3)/);
    await box.wait(({ event }) => event === 'published');
    await box.close();
    await watcher.line(/^-;eth0;IPv4;j/);
    await watcher.line(/^-;eth0;IPv6;j/);
  });

  it('a box sees what avahi publishes, its change and its end; names are opaque', async () => {
    const box = agent(3);
    await box.wait(({ event }) => event === 'published');
    const published = publish(2, 'Ann (2) & "co".x', 'status=dnd', 'empty=', 'flag');
    const up = await box.event('up', 'Ann (2) & "co".x');
    expect(up).toMatchObject({ host: 'cellar.local', port: 5555, txt: { status: 'dnd', empty: '', flag: true } });
    // Over IPv6 avahi tells only its IPv6 address; the other follows.
    const withBoth = await box.wait(({ addresses }) => addresses?.some(({ address }) => address === '10.77.0.2') ?? false);
    expect(withBoth.addresses?.some(({ address }) => /^fe80::.*%eth0$/.test(address))).toBe(true);
    await published.stop();
    await box.event('down', 'Ann (2) & "co".x');
  });

  it('an established service is found by a box that comes later', async () => {
    publish(1, 'old@attic');
    const first = agent(4);
    await first.event('up', 'old@attic');
    const late = agent(3);
    expect(await late.event('up', 'old@attic')).toMatchObject({ port: 5555 });
    await late.event('up', 'box@twin');
  });

  it('a change of TXT reaches avahi and another box', async () => {
    const watcher = browse(1);
    const box = agent(3);
    const other = agent(4);
    await watcher.line(/^=;eth0;IPv4;box\\064kitchen;.*"status=avail"/);
    await other.event('up', 'box@kitchen');
    box.tell({ op: 'update', txt: [['status', 'away']] });
    await other.wait((line) => line.event === 'changed' && line.txt?.['status'] === 'away');
    await expect.poll(() => lan.run(1, 'avahi-browse', ['-rpt', TYPE])).toContain('"status=away"');
  });

  it('a name that avahi holds is not taken: the box becomes user-1', async () => {
    publish(2, 'box@kitchen');
    const first = agent(4);
    await first.event('up', 'box@kitchen');
    const box = agent(3);
    await box.event('renamed', 'box-1@kitchen');
    expect((await box.wait(({ event }) => event === 'published')).instance).toBe('box-1@kitchen');
    await first.event('up', 'box-1@kitchen');
    expect(first.lines.filter(({ event }) => event === 'down')).toEqual([]);
  });

  it('of two hosts with one name the later one becomes machine-1', async () => {
    const first = agent(4);
    await first.wait(({ event }) => event === 'published');
    const second = agent(5);
    expect(await second.wait(({ event }) => event === 'published')).toMatchObject({ instance: 'box@twin-1', host: 'twin-1.local' });
    await first.event('up', 'box@twin-1');
    await second.event('up', 'box@twin');
  });

  it('a host name that avahi of another host holds is not taken', async () => {
    const box = agent(3, { host: 'cellar' });
    expect(await box.wait(({ event }) => event === 'published')).toMatchObject({ instance: 'box@cellar-1', host: 'cellar-1.local' });
    expect(await lan.run(1, 'avahi-resolve', ['-4n', 'cellar.local'])).toContain('10.77.0.2');
  });

  /** What avahi says of host 1, asked from there and from elsewhere all the time that `during` takes, and a while longer. */
  const unchanged = async (during: () => Promise<void>): Promise<void> => {
    const resolved = new Set<string>();
    let times = 0;
    const enough = new AbortController();
    const resolve = async (from: number, family: '-4' | '-6'): Promise<void> => {
      while (!enough.signal.aborted) {
        resolved.add(`${from} ${(await lan.run(from, 'avahi-resolve', [family, '-n', 'attic.local'])).trim()}`);
        times++;
      }
    };
    const resolving = ([[2, '-4'], [2, '-6'], [1, '-4'], [1, '-6']] as const).map(async ([from, family]) => resolve(from, family));
    try {
      await expect.poll(() => resolved.size).toBe(4);
      const before = [...resolved].toSorted();
      await during();
      // A goodbye or a record of ours would take a second to have its effect.
      const then = times;
      await expect.poll(() => times).toBeGreaterThan(then + 40);
      expect([...resolved].toSorted()).toEqual(before);
    } finally {
      enough.abort();
      await Promise.all(resolving);
    }
  };

  it('on a host with avahi, its host name stays avahi\'s: start, stop and kill change nothing, at no time', () => unchanged(async () => {
    const watcher = browse(2);
    const other = agent(3);
    const box = agent(1);
    await watcher.line(/^=;eth0;IPv4;box\\064attic;.*;lanpost-[^;]+\.local;(10\.77\.0\.1|fe80:.*);5298;/);
    const found = await other.wait(({ instance, host }) => instance === 'box@attic' && host?.startsWith('lanpost-') === true);
    expect(found.addresses?.map(({ address }) => address)).toContain('10.77.0.1');
    await box.close();
    await other.event('down', 'box@attic');
    const again = agent(1);
    await again.wait(({ event, host }) => event === 'published' && host !== 'attic.local');
    await again.kill();
  }));

  it('nor does a whole box, from its command line, when it is started, stopped, started again and killed', () => unchanged(async () => {
    const dir = mkdtempSync(join(tmpdir(), 'lanpost-avahi-'));
    stops.push(async () => rmSync(dir, { recursive: true, force: true }));
    const other = agent(3, { publish: false });
    const isBox = ({ event, instance, host }: AgentLine): boolean => event === 'up' && instance === 'whole@attic' && host?.startsWith('lanpost-') === true;
    const box = await startBox({ dir, name: 'whole', lan, host: 1 });
    const found = await other.wait(isBox);
    expect(found.addresses?.map(({ address }) => address)).toContain('10.77.0.1');
    expect(await box.stop()).toBe(0);
    await other.event('down', 'whole@attic');
    const after = other.lines.length;
    const again = await startBox({ dir, name: 'whole', lan, host: 1 });
    await other.wait(isBox, { after });
    await again.kill();
  }));

  it('a name that a box holds is not taken by avahi', async () => {
    const watcher = browse(1);
    const box = agent(3);
    await box.wait(({ event }) => event === 'published');
    publish(2, 'box@kitchen');
    await watcher.line(/^=;eth0;IPv4;box\\064kitchen\\032\\0352;.*;5555;/);
    await watcher.line(/^=;eth0;IPv4;box\\064kitchen;.*;5298;/);
    expect(box.lines.filter(({ event }) => event === 'renamed')).toEqual([]);
  });

  it('one name in two halves of a LAN that are joined: two names, both seen', async () => {
    await lan.partition([3, 4], [1, 2, 5]);
    const other = agent(4);
    const box = agent(3);
    await box.wait(({ event }) => event === 'published');
    publish(2, 'box@kitchen');
    const there = agent(5, { publish: false });
    await there.event('up', 'box@kitchen');
    await lan.heal();
    // Somebody asks: both answer, and hear each other. Whoever looks again, asks again: one answer may get lost.
    await expect.poll(async () => {
      const lines = (await lan.run(1, 'avahi-browse', ['-rpt', TYPE])).split('\n').filter((line) => line.startsWith('=;eth0;IPv4;box')).map((line) => line.split(';'));
      const names = ['5298', '5555'].map((port) => lines.filter((line) => line[8] === port).map((line) => line[3]).join());
      return names[0] !== names[1] ? names.filter(Boolean).length : 0;
    }, { timeout: 60_000 }).toBe(2);
    expect(other.lines.length).toBeGreaterThan(0);
  });

  it('two processes on a host without avahi see each other and both are seen', async () => {
    const first = agent(3, { user: 'one' });
    const second = agent(3, { user: 'two', port: 5299 });
    const other = agent(4);
    await first.event('up', 'two@kitchen');
    await second.event('up', 'one@kitchen');
    expect(await other.event('up', 'two@kitchen')).toMatchObject({ port: 5299 });
    await other.event('up', 'one@kitchen');
    await second.close();
    await other.event('down', 'two@kitchen');
    expect((await other.state()).up).toBe(1);
  });

  it('an interface that goes down and comes back is found again within 10 s', async () => {
    const box = agent(3);
    const other = agent(4);
    await box.event('up', 'box@twin');
    await lan.run(3, 'ip', ['link', 'set', 'eth0', 'down']);
    await box.event('down', 'box@twin');
    const after = box.lines.length;
    const since = Date.now();
    await lan.run(3, 'ip', ['link', 'set', 'eth0', 'up']);
    await box.event('up', 'box@twin', { after });
    expect(Date.now() - since).toBeLessThan(10_000);
    const late = agent(5, { publish: false });
    await late.event('up', 'box@kitchen');
    await other.event('up', 'box@kitchen');
  });

  it('RFC 6762 §11 everything is sent with an IP TTL of 255, by multicast and to one host', async () => {
    const listener = lan.exec(4, 'python3', ['-c', `
import socket, struct
IP_RECVTTL = 12
def listen(family, level, recv, group, request):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind(('', 5353))
    s.setsockopt(level, group, request)
    s.setsockopt(level, recv, 1)
    return s
index = socket.if_nametoindex('eth0')
four = listen(socket.AF_INET, socket.IPPROTO_IP, IP_RECVTTL, socket.IP_ADD_MEMBERSHIP, struct.pack('4s4si', socket.inet_aton('224.0.0.251'), socket.inet_aton('0.0.0.0'), index))
six = listen(socket.AF_INET6, socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, socket.IPV6_JOIN_GROUP, struct.pack('16si', socket.inet_pton(socket.AF_INET6, 'ff02::fb'), index))
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
import select
question = b'\\0\\1' + b'\\0' * 2 + b'\\0\\1' + b'\\0' * 6 + b'\\x09_presence\\x04_tcp\\x05local\\0' + b'\\0\\x0c\\0\\1'
print('listening', flush=True)
while True:
    for s in select.select([four, six, asking], [], [])[0]:
        data, extra, _, source = s.recvmsg(9000, 256)
        if source[0] != '10.77.0.3' and s is not six: continue
        ttl = struct.unpack('i', extra[0][2])[0]
        print('four' if s is four else 'six' if s is six else 'unicast', ttl, flush=True)
        if s is four and data[2] & 0x80: asking.sendto(question, ('224.0.0.251', 5353))
`]);
    stops.push(async () => {
      const closed = once(listener, 'close');
      listener.kill();
      await closed;
    });
    const seen: string[] = [];
    createInterface({ input: listener.stdout }).on('line', (line) => seen.push(line));
    await expect.poll(() => seen).toContain('listening');
    agent(3);
    await expect.poll(() => new Set(seen)).toEqual(new Set(['listening', 'four 255', 'six 255', 'unicast 255']));
  });

  it('where port 5353 is not shared it says so, sees the others all the same, and joins once it is free', async () => {
    const holder = lan.exec(3, 'python3', ['-c', `
import socket, sys
held = []
for family, any in ((socket.AF_INET, ''), (socket.AF_INET6, '::')):
    s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((any, 5353)); held.append(s)
print('held', flush=True); sys.stdin.read()`]);
    await once(holder.stdout, 'data');
    const box = agent(3);
    const trouble = await box.wait(({ event, kind }) => event === 'trouble' && kind === 'mdns.join');
    expect(trouble).toMatchObject({ code: 'in-use' });
    const published = publish(2, 'ann@cellar', 'status=dnd');
    const other = agent(4);
    const seen = await box.wait(({ instance, txt }) => instance === 'ann@cellar' && txt?.['status'] === 'dnd');
    expect(seen).toMatchObject({ host: 'cellar.local', port: 5555 });
    await box.event('up', 'box@twin');
    expect((await box.state()).links).toMatchObject([{ state: 'asking', code: 'in-use' }, { state: 'asking', code: 'in-use' }]);
    expect(other.lines.some(({ event, instance }) => event === 'up' && instance === 'box@kitchen')).toBe(false);
    const closed = once(holder, 'close');
    holder.kill();
    await closed;
    await box.wait(({ event }) => event === 'published');
    await other.event('up', 'box@kitchen');
    // It is not seen by halves: who left while it changed over is gone, the others stayed.
    await published.stop();
    await box.event('down', 'ann@cellar');
    expect(box.lines.filter(({ event }) => event === 'down')).toMatchObject([{ instance: 'ann@cellar' }]);
  });
});
