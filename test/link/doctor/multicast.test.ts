import { describe, expect, it } from 'vitest';
import { checkMulticast, judge, type Verdict } from '../../../src/link/doctor/multicast.ts';
import type { Sounded } from '../../../src/link/doctor/soundings.ts';
import type { HeardHost } from '../../../src/mdns/sounder.ts';

const host = (given: Partial<HeardHost> = {}): HeardHost => ({ address: '10.0.0.2', onLink: true, multicast: 0, answersAll: false, answersUs: false, ...given });
const sounded = (given: Partial<Sounded> = {}): Sounded => ({
  interface: { name: 'eth0', addresses: [{ address: '10.0.0.1', family: 4, prefix: 24 }] }, family: 4, echo: true, hosts: [], known: [], alive: [], ...given,
});
const nothing = { states: [], neighbours: [], routers: [], elsewhere: false, here: [] };

describe('what passes on a link', () => {
  it.each<[Verdict, string, Partial<Sounded>]>([
    ['deaf', 'the port is taken', { deaf: 'EADDRINUSE' }],
    ['refused', 'the system lets nothing out', { mute: 'EPERM', echo: false }],
    ['works', 'heard, and answered', { hosts: [host({ multicast: 3, answersUs: true })] }],
    ['works', 'one is heard, another answers', { hosts: [host({ multicast: 1 }), host({ address: '10.0.0.3', answersUs: true })] }],
    ['one-way-in', 'answers come, but nothing by multicast', { hosts: [host({ answersUs: true })] }],
    ['one-way-in', 'not even its own packets come back', { echo: false }],
    ['one-way-out', 'a peer answers alone, and not the question to all', { known: ['10.0.0.2'], alive: ['10.0.0.2'] }],
    ['one-way-out', 'a peer speaks, and does not answer', { hosts: [host({ multicast: 1, answersAll: true })], known: ['10.0.0.2'] }],
    ['likely', 'somebody says what was asked for, perhaps to another', { hosts: [host({ multicast: 1, answersAll: true })] }],
    ['idle', 'somebody speaks who has nothing to offer', { hosts: [host({ multicast: 1 })] }],
    ['nobody', 'nobody', {}],
    ['nobody', 'only somebody of another network', { hosts: [host({ multicast: 5, onLink: false, answersAll: true })] }],
  ])('is judged %s: %s', (verdict, _why, given) => {
    expect(judge(sounded(given))).toBe(verdict);
  });

  const works = sounded({ hosts: [host({ multicast: 1, answersUs: true })] });

  it('one family that works is enough, and what is wrong with the other is noted', () => {
    const findings = checkMulticast({ ...nothing, sounded: [works, sounded({ family: 6, hosts: [host({ address: 'fe80::2', answersUs: true })] })] });
    expect(findings).toMatchObject([{ level: 'ok' }, { level: 'note', cause: 'one-way-in', message: expect.stringMatching(/^Over IPv6 alone: others on eth0 /) }]);
  });

  it('what is said to all, perhaps to another, does not outweigh what is known of the other family', () => {
    const likely = sounded({ family: 6, hosts: [host({ address: 'fe80::2', multicast: 1, answersAll: true })] });
    expect(checkMulticast({ ...nothing, sounded: [likely] })).toMatchObject([{ level: 'ok' }]);
    expect(checkMulticast({ ...nothing, sounded: [sounded({ known: ['10.0.0.2'], alive: ['10.0.0.2'] }), likely] })).toMatchObject([{ level: 'problem', cause: 'one-way-out' }]);
  });

  it('that nobody answers is a problem, unless others are found elsewhere', () => {
    const alone = sounded({ interface: { name: 'docker0', addresses: [] } });
    expect(checkMulticast({ ...nothing, sounded: [alone] })).toMatchObject([{ level: 'problem', cause: 'nobody-heard', interface: 'docker0' }]);
    expect(checkMulticast({ ...nothing, sounded: [works, alone] })).toMatchObject([{ level: 'ok', interface: 'eth0' }, { level: 'note', cause: 'nobody-heard', interface: 'docker0' }]);
  });

  it('and none at all when it is told already who is there', () => {
    expect(checkMulticast({ ...nothing, elsewhere: true, sounded: [sounded()] })).toEqual([]);
  });

  it('and a note where boxes of this machine itself are heard: whether anybody else could be is not known', () => {
    const findings = checkMulticast({ ...nothing, here: ['B@h1'], sounded: [sounded()] });
    expect(findings).toMatchObject([{ level: 'note', cause: 'nobody-heard', message: expect.stringMatching(/^Nobody but boxes of this machine itself answers on eth0: .*look alike\.$/) }]);
    expect(findings[0]?.evidence).toContain('on this very machine: B@h1');
    // What does not even come back to this machine is still told.
    expect(checkMulticast({ ...nothing, here: ['B@h1'], sounded: [sounded({ echo: false })] })).toMatchObject([{ level: 'problem', cause: 'one-way-in' }]);
  });

  it('says which of the things that look alike are ruled out', () => {
    const facts = (given: object): string => JSON.stringify(checkMulticast({ ...nothing, sounded: [sounded()], ...given }));
    const router = { address: '10.0.0.254', interface: 'eth0' };
    expect(facts({})).toMatch(/alone there, or the network keeps it apart .* another network.*no other machine/);
    expect(facts({ routers: [router] })).toContain('the router 10.0.0.254 does not answer either');
    expect(facts({ routers: [router], neighbours: [router] })).toContain('the router 10.0.0.254 is there');
    expect(facts({ neighbours: [{ address: '10.0.0.9', interface: 'eth0' }] })).toMatch(/though other machines are there.*other machines are there: 10\.0\.0\.9/);
    expect(facts({ neighbours: [{ address: '10.0.0.9', interface: 'eth1' }] })).toContain('no other machine');
    expect(facts({ states: [{ interface: 'eth0', family: 4, heard: { packets: 7, responses: 1, senders: 1, lastAgo: 61_000 } }] })).toContain('it has heard 7 packets over IPv4, the last 61 s ago');
  });

  it('a firewall of this machine is told from a way that is missing', () => {
    const of = (mute: string): string => checkMulticast({ ...nothing, sounded: [sounded({ mute })] })[0]?.advice ?? '';
    expect(of('EPERM')).toContain('firewall');
    expect(of('ENETUNREACH')).toContain('ip route');
  });

  it('that the port is taken is told elsewhere; any other deafness here', () => {
    expect(checkMulticast({ ...nothing, sounded: [sounded({ deaf: 'EADDRINUSE' })] })).toEqual([]);
    expect(checkMulticast({ ...nothing, sounded: [sounded({ deaf: 'EACCES' })] })).toMatchObject([{ cause: 'multicast-refused', evidence: ['IPv4: the system answers EACCES'] }]);
  });
});
