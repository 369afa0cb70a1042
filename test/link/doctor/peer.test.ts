// What is said of one peer, from the outside in.
import { describe, expect, it } from 'vitest';
import type { OffLinkPeer } from '../../../src/api.ts';
import { LanpostError } from '../../../src/errors.ts';
import { checkAddress, isOwn, linkOf } from '../../../src/link/doctor/examine-address.ts';
import { checkFarPeer, examineFarPeer, isMeant } from '../../../src/link/doctor/far-peers.ts';
import { checkPeerAddress } from '../../../src/link/doctor/peer-address.ts';
import { checkPeerClock } from '../../../src/link/doctor/peer-clock.ts';
import { checkPeerGreeting } from '../../../src/link/doctor/peer-greeting.ts';
import { checkPeerKey } from '../../../src/link/doctor/peer-key.ts';
import { checkPeerName, nearest } from '../../../src/link/doctor/peer-name.ts';
import { checkPeerPackets, tryPackets } from '../../../src/link/doctor/peer-packets.ts';
import { type Call, callPeer, checkPeerPort } from '../../../src/link/doctor/peer-port.ts';
import { checkPeerRights } from '../../../src/link/doctor/peer-rights.ts';
import { shellWord } from '../../../src/link/doctor/shell-word.ts';
import type { KnownPeer } from '../../../src/link/peers.ts';
import { Refusal } from '../../../src/link/streams/refusal.ts';
import { createTcp } from '../../../src/link/tcp.ts';

const four = { address: '10.0.0.2', family: 4, interface: 'eth0' } as const;
const six = { address: 'fe80::2%eth0', family: 6, interface: 'eth0' } as const;
const peer = (given: Partial<KnownPeer> = {}): KnownPeer => ({ name: 'B@h2', host: 'h2.local', port: 5298, addresses: [four], claims: { status: 'available', box: true }, ...given });
const eth0 = { name: 'eth0', addresses: [{ address: '10.0.0.1', family: 4, prefix: 24 }, { address: 'fe80::1', family: 6, prefix: 64 }] } as const;

describe('a name that is not on the link', () => {
  const check = (asked: string, present: readonly string[] = ['B@h2', 'desk@pc'], keys: readonly string[] = []) => checkPeerName({
    asked, self: 'A@h1', present, now: 0, keys: keys.map((name) => ({ name, fingerprint: 'cd'.repeat(32), level: 'seen', grants: [], denials: [], lastSeen: 0 })),
  });

  it('may be that of this box, of one that was here, or nearly of another', () => {
    expect(check('A@h1')).toMatchObject([{ level: 'note', cause: 'unknown-peer' }]);
    expect(check('C@h3', [], ['C@h3'])).toMatchObject([{ level: 'problem', cause: 'peer-gone', evidence: [expect.stringContaining('1970-01-01'), 'nobody is on the link'] }]);
    expect(check('B@h3')).toMatchObject([{ cause: 'unknown-peer', message: 'Nobody called B@h3 is on the link; did you mean B@h2?' }]);
    expect(check('nothing@like.it')).toMatchObject([{ cause: 'unknown-peer', message: 'Nobody called nothing@like.it is on the link.' }]);
  });

  it('was last seen when it gave its last sign of life, not when its stream began', () => {
    const gone = (lastHeard?: number): string => JSON.stringify(checkPeerName({
      asked: 'C@h3', self: 'A@h1', present: [], now: 90_000, lastHeard, keys: [{ name: 'C@h3', fingerprint: 'cd'.repeat(32), level: 'seen', grants: [], denials: [], lastSeen: 10_000 }],
    })[0]?.evidence);
    expect(gone()).toContain('last seen 1970-01-01T00:00:10.000Z');
    expect(gone(80_000)).toContain('last seen 1970-01-01T00:01:20.000Z');
    expect(gone(5_000)).toContain('last seen 1970-01-01T00:00:10.000Z');
  });

  it('is like those that differ little, or on another host, the nearest first', () => {
    expect(nearest('desk@pc', ['dask@pcs', 'desk@laptop', 'kitchen@pi'])).toEqual(['desk@laptop', 'dask@pcs']);
    expect(nearest('desk@pc', ['a', 'b', 'desk@a', 'desk@b', 'desk@c', 'desk@d'])).toHaveLength(3);
    expect(nearest('', ['a', 'abcdef'])).toEqual(['a']);
  });
});

describe('its address', () => {
  it('must be on the network of this machine', () => {
    expect(checkPeerAddress(peer(), [four], [eth0])).toMatchObject([{ level: 'ok' }]);
    expect(checkPeerAddress(peer(), [], [eth0])).toMatchObject([{ level: 'problem', cause: 'no-address', evidence: ['it announces 10.0.0.2', 'this machine: 10.0.0.1/24 and fe80::1/64'] }]);
  });

  it('may be IPv6 only, which is noted where there is IPv4', () => {
    expect(checkPeerAddress(peer({ addresses: [six] }), [six], [eth0])).toMatchObject([{ level: 'note', cause: 'ipv6-only' }]);
    expect(checkPeerAddress(peer({ addresses: [six] }), [six], [{ ...eth0, addresses: [eth0.addresses[1]] }])).toMatchObject([{ level: 'ok' }]);
  });
});

describe('its port', () => {
  const check = (outcomes: readonly string[], given: object = {}) => checkPeerPort({
    peer: peer(), alive: [], connected: false, calls: outcomes.map((outcome): Call => ({ address: four, outcome })), ...given,
  });

  it.each([
    [['open'], {}, 'ok', undefined],
    [['silent', 'open'], {}, 'ok', undefined],
    [['ECONNREFUSED'], {}, 'problem', 'port-refused'],
    [['silent', 'ECONNREFUSED'], {}, 'problem', 'port-refused'],
    [['silent'], { alive: ['10.0.0.2'] }, 'problem', 'port-filtered'],
    [['EHOSTUNREACH'], { alive: ['10.0.0.2'] }, 'problem', 'port-filtered'],
    [['silent'], { connected: true }, 'problem', 'port-filtered'],
    [['EPERM'], { alive: ['10.0.0.2'] }, 'problem', 'port-filtered'],
    [['silent'], {}, 'problem', 'peer-silent'],
    [['EHOSTUNREACH'], {}, 'problem', 'peer-silent'],
  ])('%j, %j is %s %s', (outcomes, given, level, cause) => {
    expect(check(outcomes, given)).toMatchObject([{ level, ...(cause ? { cause } : {}) }]);
  });

  it('refused tells a program that has ended from a firewall, and says who forbids a call', () => {
    expect(check(['ECONNREFUSED'])[0]?.message).toContain('nothing listens');
    expect(check(['ECONNREFUSED'], { alive: ['10.0.0.2'] })[0]?.message).toContain('refuses calls');
    expect(check(['EACCES'])[0]?.message).toContain('This machine itself');
  });

  it('is called at all addresses, and the system says why not', async () => {
    const calls = await callPeer(createTcp(), [{ ...four, address: '127.0.0.1' }, { ...six, address: '::1' }], 1);
    expect(calls.map(({ outcome }) => outcome)).toEqual(['ECONNREFUSED', expect.stringMatching(/^E/)]);
  });
});

describe('large packets', () => {
  const greeting = { answered: true, ms: 3, large: true };
  const largest = (most: number) => (_iface: string, _address: string, _asked: unknown, _ms: number, bytes = 0) => Promise.resolve(bytes <= most);

  it('are tried in several sizes, up to that of the interface', async () => {
    expect(await tryPackets([four], [], () => 1500, largest(1400))).toEqual({ answered: [1400, 1280], lost: [1500] });
    expect(await tryPackets([four], [], () => 9000, largest(1500))).toEqual({ answered: [1500, 1400, 1280], lost: [8900] });
    expect(await tryPackets([four], [], () => 1280, largest(9000))).toEqual({ answered: [1280], lost: [] });
    expect(await tryPackets([four], [], () => undefined, largest(-1))).toBeUndefined();
    expect(await tryPackets([], [], () => 1500, largest(1500))).toBeUndefined();
  });

  it('that vanish are a problem; one that is missing between others is chance', () => {
    expect(checkPeerPackets(peer(), greeting, { answered: [1500, 1280], lost: [1400] })).toMatchObject([{ level: 'ok' }]);
    expect(checkPeerPackets(peer(), greeting, { answered: [1280], lost: [1500, 1400] })).toMatchObject([{ cause: 'mtu', evidence: [expect.any(String), 'a packet of 1400 and 1500 bytes does not arrive, one of 1280 does'] }]);
    expect(checkPeerPackets(peer(), { ...greeting, large: false }, undefined)).toMatchObject([{ cause: 'mtu', evidence: ['a short greeting over TCP is answered in 3 ms', '12,000 bytes over TCP are not'] }]);
    expect(checkPeerPackets(peer(), greeting, undefined)).toMatchObject([{ level: 'ok' }]);
    expect(checkPeerPackets(peer(), { answered: true, ms: 1 }, undefined)).toEqual([]);
  });
});

describe('its answer to a call', () => {
  it('may be none, or that it does not see this box', () => {
    expect(checkPeerGreeting(peer(), 'A@h1', { answered: true, ms: 1 }, false)).toMatchObject([{ level: 'ok' }]);
    expect(checkPeerGreeting(peer(), 'A@h1', { answered: false, ms: 6_000 }, false)).toMatchObject([{ cause: 'no-stream', evidence: ['no word within 6 s'] }]);
    expect(checkPeerGreeting(peer(), 'A@h1', { answered: false, ms: 3_000, refused: 'not-authorized' }, false)).toMatchObject([{ level: 'problem', cause: 'not-seen-by-peer' }]);
    expect(checkPeerGreeting(peer(), 'A@h1', { answered: false, ms: 3_000, refused: 'not-authorized' }, true)).toMatchObject([{ level: 'note', cause: 'not-seen-by-peer' }]);
    expect(checkPeerGreeting(peer(), 'A@h1', { answered: false, ms: 2, refused: 'closed' }, false)).toMatchObject([{ cause: 'no-stream', evidence: ['it ended the call after 2 ms: closed'] }]);
  });
});

describe('its key', () => {
  const [one, other] = ['ab'.repeat(32), 'cd'.repeat(32)];
  const check = (before: string | undefined, proven: { name: string; fingerprint: string } | { error: unknown }, level: 'seen' | 'paired' = 'seen') => checkPeerKey({ peer: peer(), before, proven, level: () => level });
  const refused = (kind: Refusal['kind'], why = 'the peer refused the stream: not-authorized'): LanpostError => new LanpostError('unreachable', 'no', { cause: new Refusal(kind, 'undefined-condition', why) });

  it.each([
    ['is paired', one, { name: 'B@h2', fingerprint: one }, 'paired', 'ok', undefined],
    ['is the first', undefined, { name: 'B@h2', fingerprint: one }, 'seen', 'ok', undefined],
    ['is another than the one seen', other, { name: 'B@h2', fingerprint: one }, 'seen', 'note', 'key-changed'],
    ['is not the paired one', other, { error: new LanpostError('impostor') }, 'paired', 'problem', 'key-changed'],
    ['is not shown any more', one, { error: refused('downgrade') }, 'seen', 'problem', 'in-the-clear'],
    ['of this box is refused', one, { error: refused('refused') }, 'seen', 'problem', 'key-refused'],
    ['is not asked for: it is full', one, { error: refused('refused', 'the peer refused the stream: resource-constraint') }, 'seen', 'problem', 'no-stream'],
    ['does not come', one, { error: new Error('no stream within 4 s') }, 'seen', 'problem', 'no-stream'],
  ] as const)('%s', (_what, before, proven, level, found, cause) => {
    expect(check(before, proven, level)).toMatchObject([{ level: found, peer: 'B@h2', ...(cause ? { cause } : {}) }]);
  });

  it('that is paired is not said to be seen, nor one that is seen to be safe', () => {
    expect(check(one, { name: 'B@h2', fingerprint: one })[0]?.message).not.toContain('paired');
    expect(check(other, { error: new LanpostError('impostor') })[0]?.advice).toContain('lanpost trust revoke cdcdcdcdcdcdcdcd');
  });
});

describe('its clock', () => {
  const now = Date.UTC(2026, 5, 1);
  it.each([
    [now + 900, true, 'ok', ''], [now - 4_000, true, 'ok', ''], [now + 20_000, true, 'note', '20 seconds ahead of'],
    [now - 7_200_000, true, 'problem', '2 hours behind'], [now - 7_200_000, false, 'note', '2 hours behind'], [0, true, 'problem', 'days behind'],
  ])('%s', (theirs, trusted, level, words) => {
    expect(checkPeerClock('B@h2', theirs, now, trusted)).toMatchObject([{ level, message: expect.stringContaining(words) }]);
  });
});

describe('its rights', () => {
  const facts = { peer: 'B@h2', self: 'A@h1', refused: [], named: true, mayChat: true, grants: [], denials: [] };
  const read = { right: 'read', filter: 'hall/#' } as const;

  it('are told when it is asked about, and what it refuses is always', () => {
    expect(checkPeerRights({ ...facts, grants: [read, { right: 'files' }] })).toMatchObject([{ level: 'ok', message: 'B@h2 may read hall/# and files here.' }]);
    expect(checkPeerRights({ ...facts, denials: [read] })).toMatchObject([{ level: 'note', cause: 'no-rights', evidence: [expect.any(String), 'denied: read hall/#'] }]);
    expect(checkPeerRights({ ...facts, mayChat: false, denials: [{ right: 'chat' }] })).toMatchObject([{ level: 'note', cause: 'no-rights', message: expect.stringContaining('does not take messages'), evidence: ['denied: chat'] }]);
    expect(checkPeerRights({ ...facts, named: false })).toEqual([]);
    expect(checkPeerRights({ ...facts, named: false, refused: [{ filter: 'x', reason: 'no' }] })).toMatchObject([{ cause: 'not-granted', evidence: ['no'], advice: 'On that machine: `lanpost trust allow A@h1 read x`.' }]);
  });
});

describe('a peer that is called where no multicast reaches', () => {
  const entry = (given: Partial<OffLinkPeer> = {}): OffLinkPeer => ({ peer: 'box.example:5298', state: 'waiting', reason: 'no answer', ...given });
  const call = (outcome: string): Call => ({ address: { address: '192.0.2.7', family: 4, interface: '' }, outcome });

  it.each([
    [{ entry: entry({ state: 'open', name: 'B@h2' }), calls: [] }, 'ok', undefined, 'B@h2'],
    [{ entry: entry(), calls: [], nameless: 'ENOTFOUND' }, 'problem', 'no-address', 'box.example:5298'],
    [{ entry: entry(), calls: [call('open')] }, 'problem', 'no-stream', 'box.example:5298'],
    [{ entry: entry(), calls: [call('silent'), call('ECONNREFUSED')] }, 'problem', 'port-refused', 'box.example:5298'],
    [{ entry: entry(), calls: [call('EPERM')] }, 'problem', 'port-filtered', 'box.example:5298'],
    [{ entry: entry({ name: 'B@h2' }), calls: [call('silent')] }, 'problem', 'peer-silent', 'B@h2'],
  ] as const)('%#', (facts, level, cause, peerName) => {
    const [found] = checkFarPeer(facts);
    expect([found?.level, found?.cause, found?.peer, found?.evidence.includes('the last call: no answer')]).toEqual([level, cause, peerName, level === 'problem']);
  });

  it('is meant by what it was named as, its host, or the name it has shown; one of a domain not by a host', () => {
    expect(['box.example:5298', 'box.example', 'B@h2', 'other'].map((asked) => isMeant(entry({ name: 'B@h2' }), asked))).toEqual([true, true, true, false]);
    expect(isMeant(entry({ peer: 'a thing with spaces', domain: 'example.org' }), 'example.org')).toBe(false);
  });

  it('is tried anew, and what comes back is told', async () => {
    expect(await examineFarPeer(entry({ peer: '127.0.0.1:1' }), createTcp())).toMatchObject([{ cause: 'port-refused', evidence: ['127.0.0.1: refused', 'the last call: no answer'] }]);
    expect(await examineFarPeer(entry({ peer: 'nowhere.invalid:1' }), createTcp())).toMatchObject([{ cause: 'no-address' }]);
  });
});

it.each([['desk@pc', 'desk@pc'], ['grüße@h1', 'grüße@h1'], ['a b', "'a b'"], ['$(reboot)', "'$(reboot)'"], ["it's", String.raw`'it'\''s'`], ['-rf', "'-rf'"], ['', "''"], ['hall/#', "'hall/#'"]])(
  'a name becomes no command where advice is copied to: %s', (name, word) => {
    expect(shellWord(name)).toBe(word);
  });

describe('an address that is no peer', () => {
  it('is on the link of an interface, on none, or its own', () => {
    expect(linkOf('10.0.0.9', [eth0])?.name).toBe('eth0');
    expect(linkOf('fe80::9', [eth0])?.name).toBe('eth0');
    expect(linkOf('fe80::9%eth1', [eth0])).toBeUndefined();
    expect(linkOf('10.0.1.9', [eth0])).toBeUndefined();
    expect(isOwn('10.0.0.1', [eth0])).toBe(true);
    expect(isOwn('10.0.0.2', [eth0])).toBe(false);
  });

  it.each([
    [{ heard: true, alone: true }, 'ok', undefined],
    [{ alone: true }, 'problem', 'multicast-filtered'],
    [{ call: 'open' }, 'problem', 'multicast-filtered'],
    [{ call: 'ECONNREFUSED' }, 'problem', 'port-refused'],
    [{ there: true }, 'problem', 'port-filtered'],
    [{ there: false }, 'problem', 'no-way'],
    [{ there: undefined }, 'problem', 'no-way'],
  ] as const)('%j: %s %s', (given, level, cause) => {
    expect(checkAddress({ address: '10.0.0.9', interface: 'eth0', alone: false, call: 'silent', there: false, heard: false, ...given })).toMatchObject([{ level, ...(cause ? { cause } : {}) }]);
  });
});
