// The whole of it, between boxes of this process: real TCP and TLS, a network that says of itself what the test wants.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Finding, HomeStatus, OffLinkPeer } from '../../../src/api.ts';
import { createSystemClock } from '../../../src/clock.ts';
import type { PeerContext } from '../../../src/link/context.ts';
import { doctor, machineDoctor } from '../../../src/link/doctor/doctor.ts';
import type { Instruments, Patient } from '../../../src/link/doctor/patient.ts';
import type { HeardHost } from '../../../src/mdns/sounder.ts';
import { createTime } from '../../../src/xep/time.ts';
import { acquainted, SimulatedLan, type TestBox } from '../fixtures.ts';

let lan: SimulatedLan;
let a: TestBox;
let b: TestBox;
const clock = createSystemClock();
const eth0 = { name: 'eth0', addresses: [{ address: '10.77.0.1', family: 4, prefix: 24 }] } as const;

beforeEach(async () => {
  lan = new SimulatedLan();
  [a, b] = [await lan.box(1, 'A'), await lan.box(2, 'B')];
  await acquainted(a, b);
});
afterEach(() => lan.close());

const hosts: HeardHost[] = [{ address: '10.77.0.2', onLink: true, multicast: 1, answersAll: true, answersUs: true }];
const instruments: Instruments = {
  clock,
  interfaces: () => [eth0],
  machine: {
    interfaces: () => Promise.resolve([{ name: 'eth0', up: true, carrier: true, broadcast: true, multicast: true, mtu: 1500 }]),
    holders: () => Promise.resolve([]), neighbours: () => Promise.resolve([]), routers: () => Promise.resolve([]),
  },
  sounder: ({ interface: iface, family }) => ({
    open: () => Promise.resolve(), ask: () => undefined, answers: () => Promise.resolve(true), close: () => undefined,
    result: () => ({ interface: iface, family, echo: true, hosts }),
  }),
};

function patient(box: TestBox, given: Partial<Patient> = {}): Patient {
  const { link, trust } = box;
  return {
    tcp: link.facts().tcp, wanted: link.facts().wanted, trust, peers: link.peers, self: () => link.name, state: () => link.facts().mdns,
    lastHeard: (name) => link.lastHeard(name),
    connected: (name) => link.peers.describe(name)?.connected === true, fingerprintOf: (name) => link.peers.describe(name)?.fingerprint,
    prove: (name, signal) => link.prove(name, signal), request: (name, iq, options) => link.request(name, iq, options),
    refused: () => Promise.resolve([]), far: () => [], ...given,
  };
}

async function examined(peer?: string, given: { patient?: Partial<Patient>; homes?: HomeStatus[]; instruments?: Partial<Instruments> } = {}): Promise<Finding[]> {
  const found: Finding[] = [];
  const findings = doctor({ peer, instruments: { ...instruments, ...given.instruments }, patient: patient(a, given.patient), homes: given.homes ?? [] });
  // Whether this machine's own port 5353 can be shared is not the matter here.
  for await (const finding of findings) if (finding.check !== 'discovery-port') found.push(finding);
  return found;
}
const told = (findings: readonly Finding[]): string[] => findings.flatMap(({ level, cause }) => (level === 'ok' ? [] : [`${level} ${cause}`])).toSorted();

describe('the doctor', () => {
  it('finds nothing wrong between two boxes, and proves it by a stream', async () => {
    createTime<PeerContext>(clock).attach(b.dispatcher);
    const findings = await examined('B@h2');
    expect(told(findings)).toEqual(['note no-rights']);
    expect(findings.map(({ check }) => check)).toEqual(expect.arrayContaining(['peer-address', 'peer-port', 'peer-answers', 'peer-packets', 'peer-key', 'peer-clock', 'multicast', 'subnet']));
    expect(a.opened).toMatchObject([{ name: 'B@h2' }]);
  });

  it('waits for a call that is under way, and for one that comes in a moment', async () => {
    const open: OffLinkPeer = { peer: '10.77.0.9:5298', state: 'open', name: 'B@h2' };
    const before: OffLinkPeer[] = [
      { peer: '10.77.0.9:5298', state: 'calling' },
      { peer: '10.77.0.9:5298', state: 'waiting', reason: 'the stream was lost', nextAttempt: clock.wall() + 300 },
    ];
    const findings = await examined('10.77.0.9', { patient: { far: () => [before.shift() ?? open] } });
    expect(findings.filter(({ check }) => check === 'far-peer')).toMatchObject([{ level: 'ok', peer: 'B@h2' }]);
  });

  it('says nothing of the clock of a peer that does not tell it', async () => {
    const findings = await examined();
    expect(told(findings)).toEqual([]);
    expect(findings.map(({ check }) => check)).not.toContain('peer-clock');
  });

  it('finds a peer by its address, its typed name, and its key', async () => {
    const { fingerprint } = await a.link.prove('B@h2');
    for (const peer of ['10.77.0.2', 'link:B@h2', fingerprint.slice(0, 16)]) {
      expect((await examined(peer)).find(({ check }) => check === 'peer-key')).toMatchObject({ peer: 'B@h2', level: 'ok' });
    }
  });

  it('says what is wrong with what was asked for', async () => {
    expect(told(await examined('B@h3'))).toEqual(['problem unknown-peer']);
    expect(told(await examined('xmpp:B@h2'))).toEqual(['problem no-home']);
    expect(told(await examined('someone@example.org'))).toEqual(['problem no-home']);
    expect(told(await examined('192.0.2.1'))).toEqual(['problem other-subnet']);
    expect(told(await examined('10.77.0.1'))).toEqual(['note unknown-peer']);
  });

  it('tells a peer with a paired key from one that pretends to be it', async () => {
    await a.trust.allow((await a.link.prove('B@h2')).fingerprint, 'read', 'x');
    await b.close();
    const impostor = await lan.box(2, 'B');
    await acquainted(a, impostor);
    expect(told(await examined('B@h2'))).toEqual(['problem key-changed']);
  });

  it('calls a peer that is no box, says that it has no key, and opens no stream', async () => {
    const port = b.link.status().port ?? 0;
    lan.announce({ instance: 'pidgin@h2', host: 'h2.local', port, text: '', addresses: [{ address: '10.77.0.2', family: 4, interface: 'eth0' }] });
    const findings = await examined('pidgin@h2');
    expect(told(findings)).toEqual(['note in-the-clear']);
    expect(a.opened).toEqual([]);
  });

  it('tries no more peers than it may, and says how many are left', async () => {
    for (let n = 0; n < 20; n += 1) {
      lan.announce({ instance: `x${n}@h9`, host: 'h9.local', port: 1, text: '', addresses: [{ address: '192.0.2.1', family: 4, interface: 'eth0' }] });
    }
    const findings = await examined();
    expect(findings.filter(({ cause }) => cause === 'no-address')).toHaveLength(7);
    expect(findings.find(({ cause }) => cause === 'peers-left-out')?.message).toBe('13 more peers were not tried.');
    expect(lan.dials.every((dial) => dial.endsWith('10.77.0.2'))).toBe(true);
  });

  it('does not listen where the box may not, nor without an interface', async () => {
    expect(told(await examined(undefined, { patient: { only: ['eth7'], peers: b.link.peers } }))).toContain('problem no-interface');
    const without = await examined('B@h2', { instruments: { interfaces: () => [] } });
    expect(told(without)).toEqual(['problem no-address', 'problem no-interface']);
  });

  it('without a box speaks of the machine only', async () => {
    const checks: string[] = [];
    for await (const { check } of machineDoctor(instruments)) checks.push(check);
    expect(checks.toSorted()).toEqual(['clock', 'discovery-port', 'interfaces', 'multicast', 'subnet']);
  });
});
