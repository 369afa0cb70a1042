import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { createSystemClock, createTestClock } from '../../src/clock.ts';
import { cursorName } from '../../src/home/cursor-name.ts';
import { WINDOW } from '../../src/home/window.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { attr, children, xml, type Element } from '../../src/xmpp/element.ts';
import { errorReply, iqResult } from '../../src/xmpp/stanza.ts';
import { StanzaError } from '../../src/xmpp/stanza-error.ts';
import { eventually } from '../support/eventually.ts';
import { quiet } from '../support/quiet.ts';
import type { FakeHome } from './fake-home.ts';
import { createRig, type Rig } from './rig.ts';
import { stored } from './stored.ts';

const published = (home: FakeHome): Element[] => home.stanzas.filter((stanza) => stanza.getChild('pubsub')?.getChild('publish'));

describe('coming in', () => {
  it.each<[string, (set: FakeHome['set']) => void, RegExp]>([
    ['a server without TLS', (set) => { set.starttls = false; }, /TLS/],
    ['a server that offers only PLAIN', (set) => { set.mechanisms = ['PLAIN']; }, /PLAIN/],
    ['a server that does not know the password', (set) => { set.signature = 'wrong'; }, /prove/],
    ['a server that proves nothing', (set) => { set.signature = 'none'; }, /prove/],
  ])('%s gets nothing', async (_name, change, reason) => {
    await using rig = await createRig();
    const { home } = rig;
    change(home.set);
    await rig.add();
    await rig.publish('t', 1);
    await rig.state('refused');
    expect((await rig.status())?.reason).toMatch(reason);
    expect(home.stanzas).toEqual([]);
  });

  it('another password is refused for a minute at least', async () => {
    await using rig = await createRig();
    await rig.add({ password: 'wrong' });
    await rig.state('refused');
    expect(((await rig.status())?.nextAttempt ?? 0) - Date.now()).toBeGreaterThan(55_000);
  });

  it('a server that accepts and says nothing is waited for no longer than the deadline', async () => {
    await using rig = await createRig({ limits: { connect: 50 } });
    const mute = createServer();
    mute.listen(0, '127.0.0.1');
    await once(mute, 'listening');
    await rig.add({ port: (mute.address() as AddressInfo).port });
    await rig.state('waiting');
    expect((await rig.status())?.reason).toContain('No session within 0.05 s');
    mute.close();
  });

  it.each([[{ jid: 'nobody' }], [{ jid: 'a@b/c' }], [{ topics: ['a//b'] }], [{ ca: 'x' }]])('%j is refused at the door', async (wrong) => {
    await using rig = await createRig();
    await expect(rig.add(wrong)).rejects.toMatchObject({ name: 'LanpostError' });
  });
  it('one that another version has kept and this one does not take keeps neither the others nor the box, and loses nothing', async () => {
    await using rig = await createRig();
    await rig.add();
    await rig.log.registry.set('home:odd@home.test', { jid: 'odd@home.test', password: 'x', up: [{ filter: 'a//b' }], cursors: {} });
    const kept = cursorName('odd@home.test', '#');
    await (await rig.log.cursor({ name: kept, filter: '#', from: 'start', durable: true })).close();
    await rig.restart();
    await rig.state('online');
    expect(rig.troubles).toContainEqual({ kind: 'home.start', message: expect.stringContaining('odd@home.test could not be taken up: Not a topic or filter') as string });
    expect(rig.log.hasCursor(kept)).toBe(true);
    expect(rig.log.registry.get('home:odd@home.test')).toBeDefined();
    await rig.publish('t', 1);
    await rig.drained();
    // Those beside it can be changed and removed.
    await rig.add({ topics: ['t'] });
    await rig.state('online');
    await rig.homes.remove(rig.home.account.jid);
    expect(rig.log.hasCursor(kept)).toBe(true);
  });
  it('one that this version does not take leaves its group what it has not got yet', async () => {
    await using rig = await createRig();
    await rig.add({ group: 'g' });
    await rig.log.registry.set('home:odd@home.test', { jid: 'odd@home.test', password: 'x', group: 'g', up: [{ filter: 'a//b' }], cursors: {} });
    await rig.restart();
    await rig.state('online');
    await rig.publish('t', 1);
    await rig.homes.remove('odd@home.test');
    await rig.drained();
    expect([...rig.log.cursors()].some(({ name }) => name.startsWith('home:*g '))).toBe(true);
  });
  it('a topic in memory is refused where it is named, and said where a filter is wider', async () => {
    await using rig = await createRig();
    await rig.log.append({ topic: 'raw/a', kind: 'configure', config: { storage: 'memory' } });
    await expect(rig.add({ topics: ['ok', 'raw/a'] })).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining('raw/a is in memory only') as string });
    expect(await rig.homes.list()).toEqual([]);
    await rig.add({ topics: ['raw/#'] });
    expect(rig.troubles).toContainEqual({ kind: 'home.memory', message: expect.stringMatching(/nothing of it goes to .*: raw\/a$/) as string });
  });
  it.each([[{ password: '' }], [{ port: 0 }], [{ topics: 'x' }], [{ extra: 1 }]])('%j is a TypeError', async (wrong) => {
    await using rig = await createRig();
    await expect(rig.add(wrong)).rejects.toThrow(TypeError);
  });
});

describe('a cut session', () => {
  it('is resumed: what was unanswered is answered, nothing is sent that had arrived', async () => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    await rig.publish('t', 'warm');
    await rig.drained();
    let seen = 0;
    home.set.before = () => { if (++seen === 20) home.cut(); };
    await rig.publish('t', ...Array.from({ length: 50 }, (_, i) => i));
    await rig.drained();
    expect([home.resumed, home.sessions]).toEqual([1, 1]);
    expect(rig.count('t')).toBe(51);
    expect(published(home).length).toBe(51);
  });

  it('is resumed, but the answers that were on their way are lost: the home is asked, and nothing is sent twice', async () => {
    await using rig = await createRig({ limits: { settle: 100, overdue: 50 } });
    const { home } = rig;
    await rig.add();
    await rig.publish('t', 'warm');
    await rig.drained();
    // What is asked of the node is answered.
    home.set.before = (stanza) => { home.set.forgets = stanza.getChild('pubsub')?.getChild('publish') !== undefined; };
    await rig.publish('t', ...Array.from({ length: 20 }, (_, i) => i));
    await rig.until(() => rig.count('t') > 4);
    const counted = rig.count('t');
    home.cut();
    home.set.before = () => undefined;
    home.set.forgets = false;
    await rig.drained();
    expect([home.resumed, home.sessions]).toEqual([1, 1]);
    expect(counted).toBeLessThan(21);
    expect(rig.count('t')).toBe(21);
    expect(published(home).length).toBe(21);
  });

  it('is resumed, but the answer to what was asked of a node is lost: it is asked once more at once, and an answer to the first counts no more', async () => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    const asked: Element[] = [];
    home.set.answer = (iq, what) => {
      if (what !== 'create') return undefined;
      const [first] = asked;
      asked.push(iq);
      if (!first) return 'silence';
      home.say(errorReply(first, new StanzaError('forbidden')));
      return undefined;
    };
    await rig.publish('t', 1);
    await rig.until(() => asked.length === 1);
    home.cut();
    await rig.drained();
    expect([home.resumed, home.sessions, asked.length]).toEqual([1, 1, 2]);
    expect(rig.arrivals('t')).toEqual(['1']);
    expect(rig.troubles).toEqual([]);
  });

  it.each<[string, (home: FakeHome, cut: () => boolean) => void]>([
    ['had not come to the home', (home, cut) => { home.set.before = (stanza) => (stanza.getChild('pubsub')?.getChild('create') && cut() ? 'drop' : undefined); }],
    ['was answered, and the answer comes once more', (home, cut) => { home.set.answer = (_iq, what) => {
      if (what === 'create') cut();
      return undefined;
    }; }],
  ])('is resumed, and what was asked of a node %s: it is not asked twice', async (_what, cutAt) => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    let cuts = 0;
    cutAt(home, () => {
      if (cuts++ > 0) return false;
      home.cut();
      return true;
    });
    await rig.publish('t', 1);
    await rig.drained();
    expect([home.resumed, home.sessions, rig.count('t')]).toEqual([1, 1, 1]);
    expect(home.stanzas.filter((stanza) => stanza.getChild('pubsub')?.getChild('create')).length).toBe(1);
  });

  it('that cannot be resumed is read back: only what is missing goes again', async () => {
    await using rig = await createRig({ limits: { settle: 3_600_000 } });
    const { home } = rig;
    await rig.add();
    await rig.publish('t', ...Array.from({ length: 30 }, (_, i) => i));
    await rig.acknowledged('t', 30);
    home.set.resumable = false;
    const lost = [...home.nodes.get('t')?.keys() ?? []].slice(-2);
    for (const id of lost) home.nodes.get('t')?.delete(id);
    const before = published(home).length;
    home.cut();
    await rig.acknowledged('t', 30);
    await rig.publish('t', 'more');
    await rig.acknowledged('t', 31);
    expect(published(home).slice(before).map((stanza) => attr(stanza.getChild('pubsub')?.getChild('publish')?.getChild('item') ?? xml('x'), 'id')).slice(0, 2)).toEqual(lost);
    expect(published(home).length).toBe(before + 3);
    expect((await rig.status())?.queued).toBe(31);
    expect(rig.troubles.map((t) => t.kind)).toEqual(['home.lost']);
  });

  it('a node that has vanished is made again, and filled with what had not settled', async () => {
    await using rig = await createRig({ limits: { settle: 3_600_000 } });
    const { home } = rig;
    await rig.add();
    await rig.publish('t', 1, 2, 3);
    await rig.acknowledged('t', 3);
    home.nodes.clear();
    await rig.publish('t', 4);
    await rig.acknowledged('t', 4);
    expect(home.stanzas.filter((stanza) => stanza.getChild('pubsub')?.getChild('create')).length).toBe(2);
  });

  it('an update that was lost is sent again, one that was replaced is not', async () => {
    await using rig = await createRig({ limits: { settle: 3_600_000 } });
    const { home } = rig;
    await rig.add();
    for (const value of ['one', 'two', 'three']) await rig.log.append({ topic: 't', kind: 'publish', id: 'same', payload: toPayload(value) });
    await rig.until(() => published(home).length === 3);
    await quiet();
    const newest = home.nodes.get('t')?.get('same');
    home.set.resumable = false;
    home.cut();
    await rig.until(() => home.sessions === 2);
    await rig.publish('t', 'next');
    await rig.acknowledged('t', 2);
    expect(published(home).length).toBe(4);
    expect(home.nodes.get('t')?.get('same')).toBe(newest);
  });

  describe.each([
    ['a session', 3_600_000],
    ['a process', 20],
  ])('what was never answered, when %s is lost,', (what, settle) => {
    /** `one` is never answered; then `next` comes, and is. */
    async function overtaken(next: (rig: Rig) => Promise<unknown>): Promise<Rig> {
      const rig = await createRig({ limits: { settle } });
      const { home } = rig;
      await rig.add();
      home.set.answer = (iq, asked) => (asked === 'publish' && iq.toString().includes('>one<') ? 'silence' : undefined);
      await rig.item('t', 'same', 'one');
      await rig.until(() => published(home).length === 1);
      await next(rig);
      // Of one that has settled nothing tells another process any more.
      if (what === 'a process') await rig.drained();
      else await quiet();
      home.set.answer = () => undefined;
      home.set.resumable = false;
      if (what === 'a session') home.cut();
      else await rig.restart({ limits: { settle: 20 } });
      await rig.publish('t', 'next');
      await rig.until(() => rig.arrivals('t').includes('next'));
      await quiet();
      expect(rig.troubles).toEqual([]);
      return rig;
    }

    it('does not go over a newer item', async () => {
      await using rig = await overtaken(async (on) => {
        await on.item('t', 'same', 'two');
        await on.until(() => on.at('t', 'same') === 'two');
      });
      expect(rig.at('t', 'same')).toBe('two');
    });

    it('does not come back after its retraction', async () => {
      await using rig = await overtaken(async (on) => {
        await on.log.append({ topic: 't', kind: 'retract', id: 'same' });
        await on.until(() => on.home.stanzas.some((stanza) => stanza.toString().includes('<retract')));
      });
      expect(rig.at('t', 'same')).toBeUndefined();
    });
  });
});

it('what is never answered is over with what took its place, however long the box takes over it', async () => {
  const clock = createTestClock();
  // Each look at the clock lies in another step of those in which things settle.
  let slow = false;
  let late = 0;
  await using rig = await createRig({ limits: { settle: 20 }, clock: { ...clock, mono: () => clock.mono() + (slow ? 10 * ++late : 10 * late) } });
  await rig.add();
  rig.home.set.answer = (iq, asked) => (asked === 'publish' && iq.toString().includes('>one<') ? 'silence' : undefined);
  await rig.item('t', 'same', 'one');
  await rig.until(() => published(rig.home).length === 1);
  slow = true;
  await rig.item('t', 'same', 'two');
  await rig.until(() => rig.at('t', 'same') === 'two');
  await quiet();
  slow = false;
  for (let step = 0; step < 100; step++) clock.advance(10);
  expect((await rig.status())?.queued).toBe(0);
});

describe('a new process', () => {
  it('finds what is there already and sends only the rest', async () => {
    await using rig = await createRig({ limits: { settle: 3_600_000 } });
    const { home } = rig;
    await rig.add();
    await rig.publish('t', ...Array.from({ length: 150 }, (_, i) => i));
    await rig.acknowledged('t', 150);
    const before = published(home).length;
    await rig.restart({ limits: { settle: 100 } });
    await rig.publish('t', 'new');
    await rig.drained();
    expect(published(home).length).toBe(before + 1);
    expect(rig.count('t')).toBe(151);
  });
});

describe('errors', () => {
  it('a held topic holds no other, and goes on in order when it may', async () => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    let forbidden = true;
    home.set.answer = (_iq, what, node) => (what === 'publish' && node === 'bad' && forbidden ? 'forbidden' : undefined);
    await rig.publish('bad', 1, 2, 3);
    await rig.publish('good', 1, 2, 3);
    await rig.acknowledged('good', 3);
    await rig.until(() => rig.troubles.some((t) => t.kind === 'home.held'));
    await rig.publish('bad', 4, 5);
    await rig.publish('good', 4);
    await rig.acknowledged('good', 4);
    expect((await rig.status())?.reason).toMatch(/bad: forbidden/);
    await rig.until(async () => (await rig.status())?.queued === 5);
    forbidden = false;
    home.set.resumable = false;
    home.cut();
    await rig.drained();
    expect([...home.nodes.get('bad')?.values() ?? []].map((record) => attr(record, 'seq'))).toEqual([...home.nodes.get('bad')?.values() ?? []].map((record) => attr(record, 'seq')).toSorted((a, b) => Number(a) - Number(b)));
    expect(rig.count('bad')).toBe(5);
  });

  it('an item that the home will not take is put aside, whole; the others pass in order', async () => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    home.set.answer = (iq, what) => (what === 'publish' && String(iq).includes('poison') ? new StanzaError('bad-request', { type: 'modify' }) : undefined);
    const others = Array.from({ length: 40 }, (_, n) => `${n}`);
    await rig.publish('t', ...others.slice(0, 20), 'poison', ...others.slice(20));
    await rig.drained();
    expect(stored(home, 't').map(({ payload }) => Buffer.from(payload?.bytes ?? []).toString())).toEqual(others);
    expect(await rig.asides()).toMatchObject([{ record: { topic: 't', payload: { contentType: 'text/plain' } }, note: { reason: 'bad-request' } }]);
  });

  it('an item that kills the stream is found and put aside', async () => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    home.set.before = (stanza) => {
      if (!String(stanza).includes('killer')) return undefined;
      home.send(`<stream:error xmlns:stream='http://etherx.jabber.org/streams'><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>`);
      return 'drop';
    };
    await rig.publish('t', 'a', 'b', 'killer', 'c', 'd');
    await rig.drained();
    expect(rig.count('t')).toBe(4);
    expect((await rig.asides()).length).toBe(1);
  });

  it('an item that kills the stream is found also while another topic has something to send all the time', async () => {
    await using rig = await createRig();
    const { home } = rig;
    let dying = false;
    let busy = 0;
    const late: Element[] = [];
    const die = (): void => {
      dying = false;
      home.send(`<stream:error xmlns:stream='http://etherx.jabber.org/streams'><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>`);
    };
    home.set.before = (stanza) => {
      if (dying) return 'drop';
      const what = children(stanza.getChild('pubsub') ?? stanza)[0];
      const node = what && attr(what, 'node');
      if (what?.getName() !== 'publish') {
        // Its node is asked about, and the other topic goes first.
        if (node !== 't') return undefined;
        if (!home.nodes.has('t')) home.nodes.set('t', new Map());
        late.push(iqResult(stanza, xml('pubsub', { xmlns: 'http://jabber.org/protocol/pubsub' }, xml('items', { node }))));
        return 'drop';
      }
      if (node === 'busy') {
        if (busy < 2_000) void rig.publish('busy', busy++);
        for (const answer of late.splice(0)) home.say(answer);
      }
      if (!String(stanza).includes('killer')) return undefined;
      dying = true;
      // What comes right behind it is in flight, too.
      void quiet().then(die);
      return 'drop';
    };
    await rig.publish('t', 'killer', 'a');
    await rig.publish('busy', 'x', 'y');
    await rig.add({ topics: [], up: [{ filter: 'busy', priority: 1 }, { filter: '#' }] });
    await rig.until(async () => (await rig.asides()).length === 1);
    expect(home.sessions).toBeLessThan(5);
    busy = 2_000;
    await rig.drained();
    expect(rig.count('t')).toBe(1);
  });

  it('what fails for a while is tried again, alone', async () => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    let failures = 3;
    home.set.answer = (_iq, what) => (what === 'publish' && failures-- > 0 ? 'internal-server-error' : undefined);
    await rig.publish('t', 1, 2, 3);
    await rig.drained();
    expect([...home.nodes.get('t')?.values() ?? []].map((record) => attr(record, 'seq')).length).toBe(3);
  });

  it.each([
    ['of a topic', {}, undefined],
    ['of an item', {}, 'i'],
    ['of a key', { key: 'k' }, undefined],
  ])('in the lane latest what failed does not go once more when the newest %s has got through', async (_, config, id) => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    await rig.log.append({ topic: 't', kind: 'configure', config: { lane: 'latest', ...config } });
    const value = (v: string): Parameters<typeof toPayload>[0] => ({ k: 1, v });
    const publish = (v: string): Promise<unknown> => rig.log.append({ topic: 't', kind: 'publish', payload: toPayload(value(v)), ...(id === undefined ? {} : { id }) });
    await publish('first');
    await rig.drained();
    let failures = 1;
    home.set.answer = (iq, what) => (what === 'publish' && iq.toString().includes('old') && failures-- > 0 ? 'internal-server-error' : undefined);
    // Both in flight at once.
    await Promise.all([publish('old'), publish('new')]);
    await rig.drained();
    expect(rig.arrivals('t').map((text) => (JSON.parse(text) as { v: string }).v)).toEqual(['first', 'old', 'new']);
    expect([...home.nodes.get('t')?.values() ?? []].at(-1)?.toString()).toContain('new');
  });

  it('in the lane latest what was on its way when the session went does not go over a newest that had got through', async () => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    await rig.log.append({ topic: 't', kind: 'configure', config: { lane: 'latest' } });
    home.set.answer = (iq, what) => (what === 'publish' && iq.toString().includes('>old<') ? 'silence' : undefined);
    await rig.publish('t', 'old', 'new');
    await rig.acknowledged('t', 1);
    home.set.answer = () => undefined;
    home.set.resumable = false;
    home.cut();
    await rig.drained();
    expect(rig.arrivals('t')).toEqual(['new']);
  });

  it('behind what failed goes nothing but what was in flight already, until it is answered', async () => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    let failures = 2;
    home.set.answer = (iq, what) => (what === 'publish' && iq.toString().includes('>first<') && failures-- > 0 ? 'internal-server-error' : undefined);
    await rig.publish('t', 'first', ...Array.from({ length: 40 }, (_, i) => i));
    await rig.drained();
    const arrivals = rig.arrivals('t');
    const again = arrivals.indexOf('first', 1);
    expect(again).toBeLessThanOrEqual(WINDOW.most);
    expect(arrivals.slice(again, arrivals.lastIndexOf('first') + 1)).toEqual(['first', 'first']);
    expect(arrivals.filter((text) => text !== 'first')).toEqual(Array.from({ length: 40 }, (_, i) => String(i)));
  });

  it('a home that acknowledges more than was sent is left', async () => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    await rig.state('online');
    home.send(xml('a', { xmlns: 'urn:xmpp:sm:3', h: '99' }));
    await rig.until(() => home.sessions === 2 || home.resumed === 1);
    expect(home.sessions + home.resumed).toBe(2);
  });

  it('no answer to requests from home but a proper refusal', async () => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    await rig.state('online');
    home.send(xml('iq', { type: 'get', id: 'x', from: 'evil@home.test/a' }, xml('query', { xmlns: 'jabber:iq:roster' })));
    await rig.until(() => home.stanzas.some((stanza) => attr(stanza, 'id') === 'x'));
    expect(home.stanzas.find((stanza) => attr(stanza, 'id') === 'x')?.attrs['type']).toBe('error');
  });
});

describe('silence', () => {
  it('of the service is none of the link: acknowledgements still come', async () => {
    await using rig = await createRig({ timing: { ask: 20, idle: 50, silence: 100 } });
    const { home } = rig;
    await rig.add();
    await rig.state('online');
    home.set.answer = () => 'silence';
    let asked = 0;
    home.set.wire = (element) => { if (element.getName() === 'r') asked++; };
    await rig.publish('t', 1);
    // At least 250 ms apart, the first and the last.
    await rig.until(() => asked >= 6);
    expect([home.sessions, home.resumed]).toEqual([1, 0]);
  });

  it('of the link is told while it is not yet known to be dead', async () => {
    await using rig = await createRig({ timing: { ask: 20, idle: 50, silence: 60_000 } });
    const { home } = rig;
    await rig.add();
    await rig.publish('t', 1);
    await rig.drained();
    expect(await rig.status()).not.toHaveProperty('unanswered');
    home.freeze();
    await rig.publish('t', 2);
    await eventually(async () => (await rig.status())?.unanswered !== undefined, { within: 20_000 });
    expect((await rig.status())?.state).toBe('online');
  });

  it('of the link is noticed: nothing came after <r/>, so it is dead and another is tried', async () => {
    await using rig = await createRig({ timing: { ask: 20, idle: 50, silence: 100 } });
    const { home } = rig;
    await rig.add();
    await rig.publish('t', 1);
    await rig.drained();
    home.freeze();
    await rig.until(() => home.resumed === 1);
    await rig.publish('t', 2);
    await rig.drained();
    expect([home.sessions, rig.count('t')]).toEqual([1, 2]);
  });
});

it('a session that the home takes up again and hears nothing on is given up', async () => {
  await using rig = await createRig({ timing: { proof: 50 } });
  const { home } = rig;
  home.set.deaf = true;
  await rig.add();
  await rig.publish('t', 1);
  await rig.drained();
  home.cut();
  await rig.until(() => home.resumed === 1);
  await rig.publish('t', 2);
  await rig.drained();
  expect([home.sessions, home.resumed, rig.count('t')]).toEqual([2, 1, 2]);
});

describe('mail', () => {
  it('is handed when the home has it', async () => {
    await using rig = await createRig();
    const { home } = rig;
    const address = { kind: 'xmpp', jid: 'friend@away.test' } as const;
    expect([rig.homes.road.reaches(address), rig.homes.road.holds(address)]).toEqual([false, false]);
    await rig.add();
    await rig.state('online');
    expect(rig.homes.road.reaches(address)).toBe(true);
    expect(rig.homes.road.reaches({ kind: 'link', name: 'x' })).toBe(false);
    const { handed } = await rig.homes.road.deliver(address, { id: 'm1', to: 'xmpp:friend@away.test', body: 'h\u00e9 <', recordId: 'r', chain: 'c', time: 0 });
    await handed;
    const message = home.stanzas.find((stanza) => stanza.name === 'message');
    expect([message?.attrs['to'], message?.attrs['id'], message?.getChildText('body')]).toEqual(['friend@away.test', 'm1', 'h\u00e9 <']);
  });

  it('without a home it is unreachable', async () => {
    await using rig = await createRig();
    await expect(rig.homes.road.deliver({ kind: 'xmpp', jid: 'a@b.test' }, { id: 'm', to: 'xmpp:a@b.test', body: 'x', recordId: 'r', chain: 'c', time: 0 })).rejects.toMatchObject({ code: 'unreachable' });
  });
});

describe('what peers have published here', () => {
  it('goes up as this box\'s own account, and says whose it is (XEP-0174 §13.2): where it was first, when, and by whom it was published', async () => {
    await using rig = await createRig();
    await rig.add();
    await rig.state('online');
    const origin = { box: 'b'.repeat(16), epoch: '1.00000001', seq: 7 };
    await rig.log.append({ topic: 't', kind: 'publish', payload: toPayload('of a peer'), publisher: 'link:desk@h2' });
    await rig.log.append({ topic: 't', kind: 'publish', payload: toPayload('of another box'), origin });
    await rig.drained();
    const records = published(rig.home).map((stanza) => stanza.getChild('pubsub')?.getChild('publish')?.getChild('item')?.getChild('record'));
    expect(records.map((record) => record && { publisher: attr(record, 'publisher'), box: attr(record, 'id')?.slice(0, 16), stamped: attr(record, 'stamp') !== undefined })).toEqual([
      { publisher: 'link:desk@h2', box: 'aaaabbbbccccdddd', stamped: true },
      { publisher: undefined, box: 'b'.repeat(16), stamped: true },
    ]);
  });
});

describe('the oldest that waits', () => {
  it('is the oldest that the home has not taken, not one that has only not settled yet', async () => {
    await using rig = await createRig({ limits: { settle: 3_600_000 } });
    await rig.add();
    await rig.publish('a', 1, 2);
    await rig.acknowledged('a', 2);
    await rig.publish('b', 1);
    await rig.acknowledged('b', 1);
    // While there is no other.
    await rig.until(async () => (await rig.status())?.left === undefined);
    expect(await rig.status()).toMatchObject({ queued: 3, oldest: { topic: 'a' } });
    rig.home.set.answer = (iq, what, node) => (what === 'publish' && node === 'b' ? 'silence' : undefined);
    await rig.publish('b', 2);
    await rig.publish('a', 3);
    await rig.acknowledged('a', 3);
    await rig.until(async () => (await rig.status())?.left === 1);
    expect(await rig.status()).toMatchObject({ queued: 5, left: 1, oldest: { topic: 'b' } });
  });
});

describe('a clock that jumps', () => {
  it.each([50, -50])('by %i years makes nothing that waits older', async (years) => {
    const system = createSystemClock();
    let ahead = 0;
    await using rig = await createRig({ clock: { ...system, wall: () => system.wall() + ahead } });
    await rig.add({ port: 1 });
    await rig.publish('t', 1);
    ahead = years * 365 * 86_400_000;
    const age = (await rig.status())?.oldestAge ?? -1;
    expect(age >= 0 && age < 60_000).toBe(true);
  });
});

describe('a home that is paused', () => {
  it('waits for no word of a letter that the server had not said it has, longer than its session can be taken up', async () => {
    const clock = createTestClock();
    await using rig = await createRig({ clock });
    await rig.add();
    await rig.until(() => rig.home.sessions === 1);
    await quiet();
    rig.home.set.acks = false;
    const letter = { id: 'm', to: 'xmpp:anna@home.test', body: 'hi', recordId: 'aaaabbbbccccdddd-1.00000001-1', chain: 'xmpp:anna@home.test', time: 1 };
    const { taken } = await rig.homes.road.deliver({ kind: 'xmpp', jid: 'anna@home.test' }, letter);
    const told = vi.fn<() => void>();
    taken?.catch(told);
    await rig.until(() => rig.home.stanzas.some((stanza) => stanza.getName() === 'message'));
    await rig.homes.pause(rig.home.account.jid);
    await rig.state('paused');
    clock.advance(299_000);
    await quiet();
    expect(told).not.toHaveBeenCalled();
    clock.advance(2_000);
    await quiet();
    expect(told).toHaveBeenCalledOnce();
  });

  it('while it connects does not stay', async () => {
    await using rig = await createRig();
    let pausing: Promise<unknown> | undefined;
    rig.home.set.wire = (element) => { if (element.getName() === 'auth') pausing ??= rig.homes.pause(rig.home.account.jid); };
    await rig.add();
    await rig.state('paused');
    await pausing;
    rig.home.set.wire = () => undefined;
    await rig.publish('t', 1);
    await rig.homes.resume(rig.home.account.jid);
    await rig.drained();
    expect(rig.count('t')).toBe(1);
  });

  it('is left and stays so over a restart; what is for it waits, and goes up when it is resumed', async () => {
    await using rig = await createRig();
    await rig.add();
    await rig.state('online');
    await rig.homes.pause(rig.home.account.jid);
    await rig.state('paused');
    await rig.publish('t', 1, 2, 3);
    await rig.restart();
    await rig.state('paused');
    expect(await rig.status()).toMatchObject({ queued: 3, queuedBytes: expect.any(Number) as number, oldest: { topic: 't', reader: 'home:box@home.test #' }, rate: { items: 0 } });
    expect(rig.count('t')).toBe(0);
    await rig.homes.resume(rig.home.account.jid);
    await rig.drained();
    expect(rig.count('t')).toBe(3);
    expect((await rig.status())?.rate.items).toBeGreaterThan(0);
    await expect(rig.homes.pause('nobody@home.test')).rejects.toMatchObject({ code: 'not-found' });
  });
});
