import { describe, expect, it } from 'vitest';
import { printOffer } from '../../src/cli/commands/files.ts';
import { details } from '../../src/cli/commands/peer.ts';
import { printTrouble } from '../../src/cli/commands/start.ts';
import { lines } from '../../src/cli/commands/status.ts';
import type { BoxStatus, FileEvent, Peer } from '../../src/index.ts';
import { screen } from './shown.ts';

describe('an offer', () => {
  const offer: FileEvent = { type: 'offered', id: '9d07aa31', direction: 'in', peer: 'desk@vm', trust: 'seen', name: 'a.pdf', size: 10, sent: 0 };

  it('is told with the command that takes it, for the box that has it', async () => {
    for (const [dir, command] of [['.lanpost', 'lanpost files accept 9d07aa31'], ['/srv/two', 'lanpost files accept 9d07aa31 --dir /srv/two']] as const) {
      const { out, until } = screen({ terminal: true });
      void printOffer(out, offer, dir);
      expect(await until('\n')).toBe(`file  desk@vm offers a.pdf (10 B): ${command}\n`);
    }
  });
});

describe('a trouble', () => {
  it('is told in words, then by its kind', async () => {
    const { out, until } = screen({ terminal: true });
    void printTrouble(out, { kind: 'link.renamed-self', message: 'Another on this link has the name a@b.' });
    expect(await until('\n')).toBe('trouble  Another on this link has the name a@b.  link.renamed-self\n');
  });
});

describe('what a peer says of itself', () => {
  const said = (given: Partial<Peer>): string[] => details({
    name: 'desk@pc', address: 'link:desk@pc', host: 'pc.local', port: 5298, addresses: [], status: 'available', box: true, connected: false, trust: 'seen', ...given,
  }).map(([word]) => word);

  it('is nothing of a person where a box only repeats its own name', () => {
    expect(said({ nick: 'desk', first: 'desk' })).not.toContain('nick');
    expect(said({ nick: 'desk', first: 'desk' })).not.toContain('first');
    expect(said({ nick: 'desk@pc' })).not.toContain('nick');
    expect(said({ nick: 'The desk', first: 'Ada' })).toEqual(expect.arrayContaining(['nick', 'first']));
    expect(said({ nick: 'desk', first: 'desk', box: false })).toEqual(expect.arrayContaining(['nick', 'first']));
  });
});

describe('the state of a box', () => {
  it('tells whom it calls where no multicast reaches, and which domains it looks through', () => {
    const link: BoxStatus['link'] = {
      state: 'up', interfaces: ['eth0'], port: 5298, domains: ['example.org'],
      offLink: [{ peer: 'pi:5298', state: 'open', name: 'hall@pi' }, { peer: '10.9.0.1:5298', state: 'waiting', reason: 'no answer' }, { peer: 'new:5298', state: 'calling' }],
    };
    const status: BoxStatus = {
      name: 'a@b', box: 'x', fingerprint: 'f', version: '1', dir: '/d', link, presence: { status: 'available', about: {} }, peers: 1, homes: [],
      log: { state: 'open', head: 0, topics: 0, bytes: 0, freeBytes: 0, losses: 0 }, requests: 0, troubles: {},
    };
    expect(lines(status).filter(([word]) => word === 'domain' || word === 'called')).toEqual([
      ['domain', 'example.org: each box that its DNS lists is called'],
      ['called', 'pi:5298: reached, as hall@pi'], ['called', '10.9.0.1:5298: not reached (no answer)'], ['called', 'new:5298: not reached'],
    ]);
    expect(lines(status).map(([word]) => word)).not.toContain('waiting');
    expect(lines({ ...status, requests: 2 })).toContainEqual(['waiting', '2 to be let read a topic: `lanpost access requests` tells who']);
    expect(lines({ ...status, link: { state: 'up', interfaces: [] } }).map(([word]) => word)).not.toContain('domain');
  });
});
