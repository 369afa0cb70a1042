// Each cause is made on a real LAN, and the doctor has to name it, and no other.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Box, Finding, FindingCause } from '../../src/index.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { eventually } from '../support/eventually.ts';
import { createLan, type Lan, type LanOptions } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { startPurple } from '../support/purple.ts';

interface Host { readonly process: BoxProcess; readonly box: Box; readonly dir: string }
type Start = (host: number, options?: { name?: string; dir?: string; env?: Readonly<Record<string, string>> }) => Promise<Host>;

/** A LAN for one test, with what runs on it. Boxes are called A, B, … by their hosts. */
async function withLan(size: number, work: (lan: Lan, start: Start) => Promise<void>, options: LanOptions = {}): Promise<void> {
  const lan = await createLan(size, options);
  const dirs: string[] = [];
  const boxes: Box[] = [];
  const start: Start = async (host, { name = String.fromCharCode(64 + host), dir: given, env } = {}) => {
    const dir = given ?? mkdtempSync(join(tmpdir(), 'lanpost-doctor-'));
    dirs.push(dir);
    const process = await startBox({ dir, name, lan, host, ...(env ? { env } : {}) });
    const box = await process.attach();
    boxes.push(box);
    return { process, box, dir };
  };
  try {
    await work(lan, start);
  } finally {
    await lan.down();
    await Promise.allSettled(boxes.map((box) => box.close()));
    for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
  }
}

async function examined(box: Box, peer?: string): Promise<Finding[]> {
  const findings: Finding[] = [];
  const begin = performance.now();
  for await (const finding of box.doctor(peer)) findings.push(finding);
  expect(performance.now() - begin).toBeLessThan(20_000);
  // A sentence each; what is not well has a cause, and a problem evidence and advice.
  expect(findings.filter(({ message }) => !/^\S.*[.?]$/.test(message))).toEqual([]);
  expect(findings.filter(({ level, cause }) => (level === 'ok') !== (cause === undefined))).toEqual([]);
  expect(findings.filter(({ level, evidence, advice }) => level === 'problem' && (evidence.length === 0 || !advice?.endsWith('.')))).toEqual([]);
  return findings;
}

/** What becomes of it once the box, or the system, has noticed. */
async function examinedUntil(box: Box, cause: FindingCause, peer?: string): Promise<Finding[]> {
  let findings: Finding[] = [];
  await eventually(async () => {
    findings = await examined(box, peer);
    return findings.some((one) => one.cause === cause);
  });
  return findings;
}

const the = (findings: readonly Finding[], cause: FindingCause): Finding => {
  const found = findings.find((one) => one.cause === cause);
  if (!found) throw new Error(`no ${cause} in ${JSON.stringify(findings.filter(({ level }) => level !== 'ok'), undefined, 1)}`);
  return found;
};
/** The causes of all problems. */
const problems = (findings: readonly Finding[]): FindingCause[] => findings.flatMap(({ level, cause }) => (level === 'problem' && cause ? [cause] : [])).toSorted();

async function sees(box: Box, name: string): Promise<void> {
  for await (const { type, peer } of box.peers.watch({ signal: AbortSignal.timeout(10_000) })) if (type !== 'down' && peer.name === name) return;
}

const nft = (lan: Lan, host: number, hook: 'input' | 'output', ...rules: string[]): Promise<string> => lan.run(host, 'nft', [
  [`add table inet doctor`, `add chain inet doctor ${hook} { type filter hook ${hook} priority 0; }`, ...rules.map((rule) => `add rule inet doctor ${hook} ${rule}`)].join('; '),
]);
const nftOff = (lan: Lan, host: number): Promise<string> => lan.run(host, 'nft', ['delete table inet doctor']);
/** As ufw and firewalld set it up: what answers a question to all is not let in, for the question went to another address. */
const usualFirewall = (lan: Lan, host: number): Promise<string> => nft(lan, host, 'input',
  'iif lo accept', 'ct state established,related accept', 'meta l4proto ipv6-icmp accept',
  'ip daddr 224.0.0.251 udp dport 5353 accept', 'ip6 daddr ff02::fb udp dport 5353 accept', 'tcp dport 5298 accept', 'drop');
const withoutIPv6 = async (lan: Lan, ...hosts: number[]): Promise<void> => {
  await Promise.all(hosts.map((host) => lan.run(host, 'sysctl', ['-qw', 'net.ipv6.conf.eth0.disable_ipv6=1'])));
};
/** As `faketime` does, with a monotonic clock that stays as it is. */
const fakeTime = (time: string): Record<string, string> => ({ LD_PRELOAD: '/usr/$LIB/faketime/libfaketime.so.1', FAKETIME: time, FAKETIME_DONT_FAKE_MONOTONIC: '1' });

const THERE = needs('root', 'nftables', 'faketime', 'avahi-daemon');
const TIME = 60_000;

describe.skipIf(!THERE).concurrent('lanpost doctor, on a LAN', () => {
  it('where all is well finds no problem; names what is asked for and is not there', () => withLan(3, async (lan, start) => {
    const [a] = [await start(1), await start(2), await start(3)];
    await Promise.all([sees(a.box, 'B@h2'), sees(a.box, 'C@h3')]);
    expect(problems(await examined(a.box))).toEqual([]);
    const [lines, code] = await (async () => {
      const running = a.process.run('doctor', 'B@h2');
      running.child.stdin.end();
      return [running.lines, await running.ended] as const;
    })();
    expect(code).toBe(0);
    expect(lines.at(-1)).toMatchObject({ verdict: 'healthy', problems: 0 });
    expect(lines.map((line) => line['check'])).toEqual(expect.arrayContaining([
      'interfaces', 'discovery-port', 'subnet', 'multicast', 'name', 'clock', 'peer-address', 'peer-port', 'peer-answers', 'peer-packets', 'peer-key', 'peer-clock', 'peer-rights',
    ]));

    const unknown = await examined(a.box, 'C@h33');
    expect(problems(unknown)).toEqual(['unknown-peer']);
    expect(the(unknown, 'unknown-peer').message).toContain('C@h3');
    expect(problems(await examined(a.box, 'xmpp:someone@example.org'))).toEqual(['no-home']);
    await lan.down();
  }), TIME);

  it('where all is well behind the usual firewall, and beside things that are no boxes, finds no problem', () => withLan(3, async (lan, start) => {
    await usualFirewall(lan, 1);
    await lan.avahi(3);
    lan.exec(3, 'avahi-publish', ['-s', 'a page', '_http._tcp', '80']);
    const [a, b] = [await start(1), await start(2)];
    await Promise.all([sees(a.box, 'B@h2'), sees(b.box, 'A@h1')]);
    expect(problems(await examined(a.box))).toEqual([]);
    // A bridge for containers, a cable to nobody: that nobody is there is no problem while others are found elsewhere.
    await lan.run(2, 'ip', ['link', 'add', 'idle0', 'type', 'veth', 'peer', 'name', 'idle1', 'netns', lan.namespace(3)]);
    await Promise.all([lan.run(2, 'ip', ['link', 'set', 'idle0', 'up']), lan.run(3, 'ip', ['link', 'set', 'idle1', 'up'])]);
    await lan.run(2, 'ip', ['addr', 'add', '10.99.0.1/24', 'dev', 'idle0']);
    const findings = await examined(b.box, 'A@h1');
    expect(problems(findings)).toEqual([]);
    expect(the(findings, 'nobody-heard')).toMatchObject({ level: 'note', interface: 'idle0' });
  }), TIME);

  it('two boxes on one machine, alone and beside another: no problem, and what cannot be told from here', () => withLan(2, async (_lan, start) => {
    const [a] = [await start(1), await start(1, { name: 'Z' })];
    await sees(a.box, 'Z@h1');
    for (const peer of [undefined, 'Z@h1']) {
      const alone = await examined(a.box, peer);
      expect(problems(alone)).toEqual([]);
      expect(the(alone, 'nobody-heard')).toMatchObject({ level: 'note', interface: 'eth0', evidence: expect.arrayContaining(['on this very machine: Z@h1']) });
    }
    await start(2);
    await sees(a.box, 'B@h2');
    const beside = await examined(a.box);
    expect(problems(beside)).toEqual([]);
    expect(beside.map(({ cause }) => cause)).not.toContain('nobody-heard');
  }), TIME);

  it('alone with a thing that is no box, behind that firewall, finds no problem', () => withLan(2, async (lan, start) => {
    await lan.avahi(2);
    lan.exec(2, 'avahi-publish', ['-s', 'a page', '_http._tcp', '80']);
    await usualFirewall(lan, 1);
    const { box } = await start(1);
    const findings = await examined(box);
    expect(problems(findings)).toEqual([]);
    expect(findings.find(({ check }) => check === 'multicast')?.evidence.join()).toContain('1 to this machine alone');
  }), TIME);

  it.skipIf(!needs('libpurple'))('a Pidgin is no problem, and its chat is not disturbed', () => withLan(2, async (lan, start) => {
    await lan.avahi(2);
    const { box } = await start(1);
    const alice = await startPurple(lan, 2, 'alice');
    try {
      await Promise.all([sees(box, 'alice@h2'), alice.event({ event: 'online', buddy: 'A@h1' })]);
      for (const words of ['before', 'after']) {
        const findings = await examined(box, words === 'before' ? undefined : 'alice@h2');
        expect(problems(findings)).toEqual([]);
        expect(the(findings, 'in-the-clear')).toMatchObject({ level: 'note', peer: 'alice@h2' });
        const after = alice.events.length;
        await (await box.send('link:alice@h2', words)).handed;
        await alice.event({ event: 'im', buddy: 'A@h1' }, { after });
      }
    } finally {
      await alice.quit();
    }
  }), TIME);

  it('no box runs: says so, and what it can of the machine', () => withLan(2, async (lan, start) => {
    const { dir } = await start(2);
    const run = async (host: number, where: string): Promise<string> => lan.run(host, process.execPath, ['dist/src/cli/main.js', 'doctor', '--dir', where, '--json']).catch(String);
    const out = await run(1, `${dir}-none`);
    expect(out).toContain('ended with 1');
    expect(out).toContain('"cause":"box-not-running"');
    expect(out).toMatch(/"check":"multicast","level":"ok"/);
    expect(out.match(/"level":"problem"/g)).toHaveLength(1);
    const words = await lan.run(1, process.execPath, ['dist/src/cli/main.js', 'doctor', '--dir', `${dir}-none`]).catch(String);
    expect(words).toMatch(/problem {2}No box is running here, .*\n {9}- nobody answers in .*\n {9}→ Start one with .*\nok {7}/);
    expect(words.trim()).toMatch(/\n\nThere is one problem: see what to do above\.$/);
  }), TIME);

  it('isolated ports: nobody is heard, and what that may be', () => withLan(2, async (lan, start) => {
    await Promise.all([1, 2].map((host) => lan.port(host, { isolated: true })));
    const [a] = [await start(1), await start(2)];
    const findings = await examined(a.box);
    expect(problems(findings)).toEqual(['nobody-heard']);
    const named = await examined(a.box, '10.77.0.2');
    expect(problems(named)).toEqual(['no-way', 'nobody-heard']);
    expect(the(findings, 'nobody-heard')).toMatchObject({ interface: 'eth0', message: expect.stringMatching(/alone there.*apart.*another network/), advice: expect.stringMatching(/isolation/) });
    // The command says the same, a line each, and ends with 1: there is a problem.
    const said = await lan.run(1, process.execPath, ['dist/src/cli/main.js', 'doctor', '10.77.0.2', '--dir', a.dir, '--json']).catch(String);
    expect(said).toContain('ended with 1');
    const lines = said.split('\n').filter((line) => line.startsWith('{')).map((line): unknown => JSON.parse(line));
    expect(lines).toContainEqual({
      check: expect.any(String), level: 'problem', cause: 'nobody-heard', interface: 'eth0', message: expect.stringMatching(/alone there.*apart.*another network/),
      evidence: [expect.any(String), ...Array.from({ length: the(findings, 'nobody-heard').evidence.length - 1 }, () => expect.any(String))], advice: expect.stringMatching(/isolation/),
    });
    expect(lines).toContainEqual(expect.objectContaining({ level: 'problem', cause: 'no-way', peer: '10.77.0.2' }));
    expect(lines).toContainEqual({ check: expect.any(String), level: 'ok', message: expect.any(String), evidence: expect.any(Array), interface: 'eth0' });
    expect(lines.at(-1)).toEqual({ verdict: 'problems', problems: 2, notes: expect.any(Number) });
    await Promise.all([1, 2].map((host) => lan.port(host, { isolated: false })));
    await sees(a.box, 'B@h2');
    const well = await lan.run(1, process.execPath, ['dist/src/cli/main.js', 'doctor', 'B@h2', '--dir', a.dir, '--json']);
    expect(JSON.parse(well.trim().split('\n').at(-1) ?? '')).toEqual({ verdict: 'healthy', problems: 0, notes: expect.any(Number) });
  }), TIME);

  it('another VLAN: looks alike from here, and that is said', () => withLan(2, async (lan, start) => {
    await lan.partition([1], [2]);
    const [a] = [await start(1), await start(2)];
    expect(problems(await examined(a.box))).toEqual(['nobody-heard']);
    expect(problems(await examined(a.box, '192.168.7.2'))).toEqual(['nobody-heard', 'other-subnet']);
  }), TIME);

  it('a switch that passes no multicast at all: nobody is heard, but who is named by address is there', () => withLan(2, async (lan, start) => {
    await Promise.all([1, 2].map((host) => lan.port(host, { multicast: false })));
    const [a] = [await start(1), await start(2)];
    expect(problems(await examined(a.box))).toEqual(['nobody-heard']);
    expect(problems(await examined(a.box, '10.77.0.2'))).toEqual(['multicast-filtered']);
  }), TIME);

  it('a switch that keeps multicast from one port: in does not work there, out does not for the others', () => withLan(2, async (lan, start) => {
    await lan.port(1, { multicast: false });
    const b = await start(2);
    const a = await start(1);
    await sees(b.box, 'A@h1');
    const [atA, atB] = [await examined(a.box), await examined(b.box)];
    expect(problems(atA)).toEqual(['one-way-in']);
    expect(the(atA, 'one-way-in').message).toContain('Others on eth0 hear this machine');
    expect(problems(atB)).toEqual(['one-way-out']);
    expect(the(atB, 'one-way-out').evidence.join()).toMatch(/asked alone, .*answer/);
    expect(atB).toContainEqual(expect.objectContaining({ cause: 'not-seen-by-peer', level: 'note', peer: 'A@h1' }));
  }), TIME);

  it('a firewall of this machine keeps multicast out', () => withLan(2, async (lan, start) => {
    await nft(lan, 1, 'input', 'ip daddr 224.0.0.251 drop', 'ip6 daddr ff02::fb drop');
    const [a] = [await start(1), await start(2)];
    const findings = await examined(a.box);
    expect(problems(findings)).toEqual(['one-way-in']);
    expect(the(findings, 'one-way-in').message).toContain('its own firewall');
  }), TIME);

  it('a firewall of this machine lets no multicast out', () => withLan(2, async (lan, start) => {
    await nft(lan, 1, 'output', 'ip daddr 224.0.0.251 drop', 'ip6 daddr ff02::fb drop');
    const a = await start(1);
    await start(2);
    await sees(a.box, 'B@h2');
    expect(problems(await examined(a.box))).toEqual(['multicast-refused']);
  }), TIME);

  it('a firewall of the other machine keeps multicast out', () => withLan(2, async (lan, start) => {
    await nft(lan, 2, 'input', 'ip daddr 224.0.0.251 drop', 'ip6 daddr ff02::fb drop');
    const a = await start(1);
    await start(2);
    await sees(a.box, 'B@h2');
    expect(problems(await examined(a.box, 'B@h2'))).toEqual(['one-way-out']);
  }), TIME);

  it('the wrong netmask', () => withLan(2, async (lan, start) => {
    await withoutIPv6(lan, 1, 2);
    await lan.run(2, 'ip', ['addr', 'flush', 'dev', 'eth0']);
    await lan.run(2, 'ip', ['addr', 'add', '10.77.1.2/24', 'brd', '+', 'dev', 'eth0']);
    const [a] = [await start(1), await start(2)];
    const findings = await examinedUntil(a.box, 'other-subnet');
    expect(problems(findings)).toEqual(['other-subnet']);
    expect(the(findings, 'other-subnet').evidence.slice(0, 2)).toEqual(['heard: 10.77.1.2', 'this machine: 10.77.0.1/24 on eth0']);
  }), TIME);

  it('reachable over IPv6 only', () => withLan(2, async (lan, start) => {
    await lan.run(2, 'ip', ['-4', 'addr', 'flush', 'dev', 'eth0']);
    const [a] = [await start(1), await start(2)];
    await sees(a.box, 'B@h2');
    const findings = await examined(a.box, 'B@h2');
    expect(problems(findings)).toEqual([]);
    expect(the(findings, 'ipv6-only')).toMatchObject({ level: 'note', peer: 'B@h2' });
  }), TIME);

  it('another program holds the port of discovery', () => withLan(2, async (lan, start) => {
    const holder = lan.exec(1, process.execPath, ['-e', 'require("dgram").createSocket("udp6").bind(5353, "::", () => console.log("held"))']);
    await new Promise((resolve) => { holder.stdout.once('data', resolve); });
    await start(2);
    const { box } = await start(1);
    const findings = await examined(box);
    expect(problems(findings)).toEqual(['port-held']);
    expect(the(findings, 'port-held').message).toMatch(/^node \(process \d+\) holds/);
  }), TIME);

  it('multicast is switched off on the interface', () => withLan(2, async (lan, start) => {
    await lan.run(1, 'ip', ['link', 'set', 'eth0', 'multicast', 'off']);
    const [a] = [await start(1), await start(2)];
    expect(problems(await examined(a.box))).toEqual(['no-multicast']);
  }), TIME);

  it('the interface is down, or its cable is out', () => withLan(2, async (lan, start) => {
    const [a] = [await start(1), await start(2)];
    await lan.port(1, { up: false });
    const unplugged = await examinedUntil(a.box, 'link-down');
    expect(problems(unplugged)).toEqual(['link-down']);
    expect(the(unplugged, 'link-down').evidence).toEqual(['eth0 is not connected to anything']);
    await lan.run(1, 'ip', ['link', 'set', 'eth0', 'down']);
    expect(the(await examined(a.box), 'link-down').evidence).toEqual(['eth0 is switched off']);
  }), TIME);

  it('another has the name', () => withLan(2, async (_lan, start) => {
    const [first, second] = [await start(1, { name: 'A' }), await start(2, { name: 'A' })];
    // Whoever has given way sees the other under the name that both wanted.
    const renamed = await Promise.any([first, second].map(async ({ box }) => {
      await sees(box, 'A@twin');
      return box;
    }));
    const findings = await examined(renamed);
    expect(problems(findings)).toEqual(['renamed']);
    expect(the(findings, 'renamed').evidence[0]).toMatch(/^A@twin is at 10\.77\.0\.[12]/);
  }, { names: ['twin', 'twin'] }), TIME);

  it('calls vanish, are refused, large packets vanish, the machine vanishes, the program has ended', () => withLan(3, async (lan, start) => {
    const [a, b] = [await start(1), await start(2), await start(3)];
    await Promise.all([sees(a.box, 'B@h2'), sees(a.box, 'C@h3')]);
    await nft(lan, 2, 'input', 'tcp dport 5298 drop');
    expect(problems(await examined(a.box, 'B@h2'))).toEqual(['port-filtered']);
    await nftOff(lan, 2);
    await nft(lan, 2, 'input', 'tcp dport 5298 reject with tcp reset');
    const refused = await examined(a.box, 'B@h2');
    expect(problems(refused)).toEqual(['port-refused']);
    expect(the(refused, 'port-refused').message).toContain('refuses calls');
    await nftOff(lan, 2);

    await nft(lan, 2, 'input', 'meta length > 1280 drop');
    const dropped = await examined(a.box, 'B@h2');
    expect(problems(dropped)).toEqual(['mtu']);
    expect(the(dropped, 'mtu').evidence.join()).toContain('one of 1280 does');
    await nftOff(lan, 2);
    await lan.port(2, { mtu: 1280 });
    expect(problems(await examined(a.box, 'B@h2'))).toEqual(['mtu']);
    await lan.port(2, { mtu: 1500 });

    await lan.silentCut(2);
    expect(problems(await examined(a.box, 'B@h2'))).toEqual(['peer-silent']);
    await lan.restore(2);
    await b.process.kill();
    const ended = await examined(a.box, 'B@h2');
    expect(problems(ended)).toEqual(['port-refused']);
    expect(the(ended, 'port-refused').message).toContain('nothing listens');
  }), 90_000);

  it('the key is not the one that was paired; the other side sees it too; a peer that was here is gone', () => withLan(3, async (_lan, start) => {
    const [a, b] = [await start(1), await start(2), await start(3)];
    await Promise.all([sees(a.box, 'B@h2'), sees(b.box, 'A@h1')]);
    await a.box.trust.allow('B@h2', 'read', 'x');
    expect(problems(await examined(a.box, 'B@h2'))).toEqual([]);
    const began = Date.now();
    // Twice, so that more than the second passes in which it is looked who was heard.
    for (let round = 0; round < 2; round += 1) expect(problems(await examined(a.box, 'B@h2'))).toEqual([]);
    await b.process.stop();
    const gone = await examinedUntil(a.box, 'peer-gone', 'B@h2');
    expect(problems(gone)).toEqual(['peer-gone']);
    // What it said last counts, not when its stream began.
    expect(Date.parse(/last seen (\S+)/.exec(the(gone, 'peer-gone').evidence[0] ?? '')?.[1] ?? '')).toBeGreaterThanOrEqual(began);
    const stranger = await start(2);
    await Promise.all([sees(a.box, 'B@h2'), sees(stranger.box, 'A@h1')]);
    const findings = await examined(a.box, 'B@h2');
    expect(problems(findings)).toEqual(['key-changed']);
    expect(the(findings, 'key-changed').advice).toContain('lanpost trust revoke');
    expect(problems(await examined(stranger.box, 'A@h1'))).toEqual(['key-refused']);
  }), TIME);

  it('the clock there is wrong, or the one here was never set', () => withLan(2, async (_lan, start) => {
    const [a, b] = [await start(1), await start(2, { env: fakeTime('+3h') })];
    await sees(a.box, 'B@h2');
    const findings = await examined(a.box, 'B@h2');
    expect(problems(findings)).toEqual(['clock-skew']);
    expect(the(findings, 'clock-skew').message).toContain('3 hours ahead');
    await b.process.stop();
    const old = await start(2, { name: 'D', env: fakeTime('-30y') });
    await sees(old.box, 'A@h1');
    expect(problems(await examined(old.box, 'A@h1'))).toEqual(['clock-unset']);
  }), TIME);

  it('a peer that is called where no multicast reaches: its stream, and why there is none', () => withLan(2, async (lan, start) => {
    // Multicast stays on one side of the router; here a filter does.
    await nft(lan, 2, 'input', 'ip daddr 224.0.0.251 drop', 'ip6 daddr ff02::fb drop');
    await nft(lan, 1, 'input', 'ip daddr 224.0.0.251 drop', 'ip6 daddr ff02::fb drop');
    const [a, b] = [await start(1), await start(2)];
    await b.box.peers.add('10.77.0.1');
    await a.box.peers.add('10.77.0.2');
    await sees(a.box, 'B@h2');
    const reached = await examined(a.box, '10.77.0.2');
    expect(reached).toContainEqual(expect.objectContaining({ check: 'far-peer', level: 'ok', peer: 'B@h2' }));
    expect(reached).toContainEqual(expect.objectContaining({ check: 'peer-key', level: 'ok', peer: 'B@h2' }));
    expect(problems(reached)).toEqual(['one-way-in']);
    await b.process.kill();
    expect(problems(await examinedUntil(a.box, 'port-refused', '10.77.0.2'))).toEqual(['one-way-in', 'port-refused']);
  }), TIME);

  it('a peer that is called and reached: that nobody answers on the link is a note', () => withLan(2, async (lan, start) => {
    await Promise.all([1, 2].map((host) => lan.port(host, { multicast: false })));
    const [a, b] = [await start(1), await start(2)];
    await b.box.peers.add('10.77.0.1');
    await a.box.peers.add('10.77.0.2');
    await sees(a.box, 'B@h2');
    expect(problems(await examined(a.box, '10.77.0.2'))).toEqual([]);
    expect(problems(await examined(a.box))).toEqual(['nobody-heard']);
  }), TIME);

  it('a peer no longer grants what is read from it', () => withLan(2, async (_lan, start) => {
    const [a, b] = [await start(1), await start(2)];
    await Promise.all([sees(a.box, 'B@h2'), sees(b.box, 'A@h1')]);
    await b.box.trust.allow('A@h1', 'read', 'hall/#');
    const subscription = a.box.subscribe('hall/#', { at: 'B@h2', durable: 'reader' });
    await subscription.ready;
    expect(problems(await examined(a.box, 'B@h2'))).toEqual([]);
    await b.box.trust.revoke('A@h1');
    const findings = await examined(a.box, 'B@h2');
    expect(problems(findings)).toEqual(['not-granted']);
    expect(the(findings, 'not-granted').advice).toContain("lanpost trust allow A@h1 read 'hall/#'");
  }), TIME);
});
