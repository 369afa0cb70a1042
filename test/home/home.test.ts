import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HomeStatus, Trouble } from '../../src/api.ts';
import { createSystemClock } from '../../src/clock.ts';
import { createHomes, type Homes, type HomesOptions } from '../../src/home/homes.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { openLog, type Log } from '../../src/log/log.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { attr, xml, type Element } from '../../src/xmpp/element.ts';
import { StanzaError } from '../../src/xmpp/stanza-error.ts';
import { startFakeHome, type FakeHome } from './fake-home.ts';
import { until } from './until.ts';

let home: FakeHome;
let log: Log;
let homes: Homes;
let troubles: Trouble[];
let database: MemoryDatabase;

async function open(options: Partial<HomesOptions> = {}): Promise<void> {
  const clock = createSystemClock();
  const trouble = (t: Trouble): void => { troubles.push(t); };
  log = await openLog({ database, clock, boxId: 'aaaabbbbccccdddd', trouble });
  homes = createHomes({ log, clock, trouble, boxId: log.boxId, limits: { settle: 100 }, random: () => 0, ...options });
  await homes.start();
}
async function shut(): Promise<void> {
  await homes.close();
  await log.close();
}
beforeEach(async () => {
  troubles = [];
  database = new MemoryDatabase();
  home = await startFakeHome();
});
afterEach(async () => {
  await shut();
  await home.close();
});

const add = (options: object = {}): Promise<HomeStatus> => homes.add({ ...home.account, topics: ['#'], ...options });
const status = async (): Promise<HomeStatus | undefined> => (await homes.list())[0];
const state = (wanted: string): Promise<void> => until(async () => (await status())?.state === wanted, { every: 5 });
const drained = (): Promise<void> => until(async () => (await status())?.queued === 0, { every: 5 });
const publish = async (topic: string, ...values: (string | number)[]): Promise<void> => {
  await Promise.all(values.map((value) => log.append({ topic, kind: 'publish', payload: toPayload(value) })));
};
const count = (topic: string): number => home.nodes.get(topic)?.size ?? 0;
const published = (): Element[] => home.stanzas.filter((stanza) => stanza.getChild('pubsub')?.getChild('publish'));

describe('coming in', () => {
  it.each<[string, (set: FakeHome['set']) => void, RegExp]>([
    ['a server without TLS', (set) => { set.starttls = false; }, /TLS/],
    ['a server that offers only PLAIN', (set) => { set.mechanisms = ['PLAIN']; }, /PLAIN/],
    ['a server that does not know the password', (set) => { set.signature = 'wrong'; }, /prove/],
    ['a server that proves nothing', (set) => { set.signature = 'none'; }, /prove/],
  ])('%s gets nothing', async (_name, change, reason) => {
    change(home.set);
    await open();
    await add();
    await publish('t', 1);
    await state('refused');
    expect((await status())?.reason).toMatch(reason);
    expect(home.stanzas).toEqual([]);
  });

  it('another password is refused for a minute at least', async () => {
    await open();
    await add({ password: 'wrong' });
    await state('refused');
    expect(((await status())?.nextAttempt ?? 0) - Date.now()).toBeGreaterThan(55_000);
  });

  it('a server that accepts and says nothing is waited for no longer than the deadline', async () => {
    await open({ limits: { connect: 50 } });
    const mute = createServer();
    mute.listen(0, '127.0.0.1');
    await once(mute, 'listening');
    await add({ port: (mute.address() as AddressInfo).port });
    await state('waiting');
    expect((await status())?.reason).toContain('No session within 0.05 s');
    mute.close();
  });

  it.each([[{ jid: 'nobody' }], [{ jid: 'a@b/c' }], [{ topics: ['a//b'] }], [{ ca: 'x' }]])('%j is refused at the door', async (wrong) => {
    await open();
    await expect(add(wrong)).rejects.toMatchObject({ name: 'LanpostError' });
  });
  it.each([[{ password: '' }], [{ port: 0 }], [{ topics: 'x' }], [{ extra: 1 }]])('%j is a TypeError', async (wrong) => {
    await open();
    await expect(add(wrong)).rejects.toThrow(TypeError);
  });
});

describe('a cut session', () => {
  it('is resumed: what was unanswered is answered, nothing is sent that had arrived', async () => {
    await open();
    await add();
    await publish('t', 'warm');
    await drained();
    let seen = 0;
    home.set.before = () => { if (++seen === 20) home.cut(); };
    await publish('t', ...Array.from({ length: 50 }, (_, i) => i));
    await drained();
    expect([home.resumed, home.sessions]).toEqual([1, 1]);
    expect(count('t')).toBe(51);
    expect(published().length).toBe(51);
  });

  it('that cannot be resumed is read back: only what is missing goes again', async () => {
    await open({ limits: { settle: 3_600_000 } });
    await add();
    await publish('t', ...Array.from({ length: 30 }, (_, i) => i));
    await until(() => count('t') === 30);
    home.set.resumable = false;
    const lost = [...home.nodes.get('t')?.keys() ?? []].slice(-2);
    for (const id of lost) home.nodes.get('t')?.delete(id);
    const before = published().length;
    home.cut();
    await until(() => count('t') === 30);
    await publish('t', 'more');
    await until(() => count('t') === 31);
    expect(published().slice(before).map((stanza) => attr(stanza.getChild('pubsub')?.getChild('publish')?.getChild('item') ?? xml('x'), 'id')).slice(0, 2)).toEqual(lost);
    expect(published().length).toBe(before + 3);
    expect((await status())?.queued).toBe(31);
    expect(troubles.map((t) => t.kind)).toEqual(['home.lost']);
  });

  it('a node that has vanished is made again, and filled with what had not settled', async () => {
    await open({ limits: { settle: 3_600_000 } });
    await add();
    await publish('t', 1, 2, 3);
    await until(() => count('t') === 3);
    home.nodes.clear();
    await publish('t', 4);
    await until(() => count('t') === 4);
    expect(home.stanzas.filter((stanza) => stanza.getChild('pubsub')?.getChild('create')).length).toBe(2);
  });

  it('an update that was lost is sent again, one that was replaced is not', async () => {
    await open({ limits: { settle: 3_600_000 } });
    await add();
    for (const value of ['one', 'two', 'three']) await log.append({ topic: 't', kind: 'publish', id: 'same', payload: toPayload(value) });
    await until(async () => published().length === 3);
    const newest = home.nodes.get('t')?.get('same');
    home.set.resumable = false;
    home.cut();
    await until(() => home.sessions === 2);
    await publish('t', 'next');
    await until(() => count('t') === 2);
    expect(published().length).toBe(4);
    expect(home.nodes.get('t')?.get('same')).toBe(newest);
  });
});

describe('a new process', () => {
  it('finds what is there already and sends only the rest', async () => {
    await open({ limits: { settle: 3_600_000 } });
    await add();
    await publish('t', ...Array.from({ length: 150 }, (_, i) => i));
    await until(() => count('t') === 150);
    await shut();
    const before = published().length;
    await open({ limits: { settle: 100 } });
    await publish('t', 'new');
    await drained();
    expect(published().length).toBe(before + 1);
    expect(count('t')).toBe(151);
  });
});

describe('errors', () => {
  it('a held topic holds no other, and goes on in order when it may', async () => {
    await open();
    await add();
    let forbidden = true;
    home.set.answer = (_iq, what, node) => (what === 'publish' && node === 'bad' && forbidden ? 'forbidden' : undefined);
    await publish('bad', 1, 2, 3);
    await publish('good', 1, 2, 3);
    await until(() => count('good') === 3);
    await until(() => troubles.some((t) => t.kind === 'home.held'));
    await publish('bad', 4, 5);
    await publish('good', 4);
    await until(() => count('good') === 4);
    expect((await status())?.reason).toMatch(/bad: forbidden/);
    await until(async () => (await status())?.queued === 5);
    forbidden = false;
    home.set.resumable = false;
    home.cut();
    await drained();
    expect([...home.nodes.get('bad')?.values() ?? []].map((record) => attr(record, 'seq'))).toEqual([...home.nodes.get('bad')?.values() ?? []].map((record) => attr(record, 'seq')).toSorted((a, b) => Number(a) - Number(b)));
    expect(count('bad')).toBe(5);
  });

  it('an item that the home will not take is put aside, whole; the others pass in order', async () => {
    await open();
    await add();
    home.set.answer = (iq, what) => (what === 'publish' && String(iq).includes('poison') ? new StanzaError('bad-request', { type: 'modify' }) : undefined);
    await publish('t', 'a', 'poison', 'b');
    await drained();
    expect(count('t')).toBe(2);
    expect(log.registry.entries('poison:').map(([, row]) => row)).toMatchObject([{ topic: 't', contentType: 'text/plain', reason: 'bad-request' }]);
  });

  it('an item that kills the stream is found and put aside', async () => {
    await open();
    await add();
    home.set.before = (stanza) => {
      if (!String(stanza).includes('killer')) return undefined;
      home.send(`<stream:error xmlns:stream='http://etherx.jabber.org/streams'><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>`);
      return 'drop';
    };
    await publish('t', 'a', 'b', 'killer', 'c', 'd');
    await drained();
    expect(count('t')).toBe(4);
    expect(log.registry.entries('poison:').length).toBe(1);
  }, 30_000);

  it('what fails for a while is tried again, alone', async () => {
    await open();
    await add();
    let failures = 3;
    home.set.answer = (_iq, what) => (what === 'publish' && failures-- > 0 ? 'internal-server-error' : undefined);
    await publish('t', 1, 2, 3);
    await drained();
    expect([...home.nodes.get('t')?.values() ?? []].map((record) => attr(record, 'seq')).length).toBe(3);
  }, 30_000);

  it('a home that acknowledges more than was sent is left', async () => {
    await open();
    await add();
    await state('online');
    home.send(xml('a', { xmlns: 'urn:xmpp:sm:3', h: '99' }));
    await until(() => home.sessions === 2 || home.resumed === 1);
    expect(home.sessions + home.resumed).toBe(2);
  });

  it('no answer to requests from home but a proper refusal', async () => {
    await open();
    await add();
    await state('online');
    home.send(xml('iq', { type: 'get', id: 'x', from: 'evil@home.test/a' }, xml('query', { xmlns: 'jabber:iq:roster' })));
    await until(() => home.stanzas.some((stanza) => attr(stanza, 'id') === 'x'));
    expect(home.stanzas.find((stanza) => attr(stanza, 'id') === 'x')?.attrs['type']).toBe('error');
  });
});

describe('silence', () => {
  it('of the service is none of the link: acknowledgements still come', async () => {
    await open({ timing: { ask: 20, idle: 50, silence: 100 } });
    await add();
    await state('online');
    home.set.answer = () => 'silence';
    await publish('t', 1);
    await new Promise((resolve) => { setTimeout(resolve, 300); });
    expect([home.sessions, home.resumed]).toEqual([1, 0]);
  });

  it('of the link is noticed: nothing came after <r/>, so it is dead and another is tried', async () => {
    await open({ timing: { ask: 20, idle: 50, silence: 100 } });
    await add();
    await publish('t', 1);
    await drained();
    home.freeze();
    await until(() => home.resumed === 1);
    await publish('t', 2);
    await drained();
    expect([home.sessions, count('t')]).toEqual([1, 2]);
  });
});

describe('mail', () => {
  it('is handed when the home has it', async () => {
    await open();
    const address = { kind: 'xmpp', jid: 'friend@away.test' } as const;
    expect([homes.road.reaches(address), homes.road.holds(address)]).toEqual([false, false]);
    await add();
    await state('online');
    expect(homes.road.reaches(address)).toBe(true);
    expect(homes.road.reaches({ kind: 'link', name: 'x' })).toBe(false);
    await homes.road.deliver(address, { id: 'm1', to: 'xmpp:friend@away.test', body: 'h\u00e9 <', recordId: 'r', chain: 'c', time: 0 });
    const message = home.stanzas.find((stanza) => stanza.name === 'message');
    expect([message?.attrs['to'], message?.attrs['id'], message?.getChildText('body')]).toEqual(['friend@away.test', 'm1', 'h\u00e9 <']);
  });

  it('without a home it is unreachable', async () => {
    await open();
    await expect(homes.road.deliver({ kind: 'xmpp', jid: 'a@b.test' }, { id: 'm', to: 'xmpp:a@b.test', body: 'x', recordId: 'r', chain: 'c', time: 0 })).rejects.toMatchObject({ code: 'unreachable' });
  });
});
