import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LanpostError } from '../../src/errors.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { xml } from '../../src/xmpp/element.ts';
import { seen, SimulatedLan } from './fixtures.ts';
import { plainPeer, purpleHeader, type PlainStream } from './plain-peer.ts';
import { serviceBox, type ServiceBox } from './service-box.ts';

let lan: SimulatedLan;
let a: ServiceBox;
let b: ServiceBox;
beforeEach(async () => {
  lan = new SimulatedLan();
  [a, b] = [await serviceBox(lan, 1, 'a'), await serviceBox(lan, 2, 'b')];
  await Promise.all([seen(a, b.link.name), seen(b, a.link.name)]);
});
afterEach(() => lan.close());

describe('between boxes', () => {
  test('a command takes any value and gives any, knows who runs it, and is nobody\'s unless it is granted', async () => {
    a.offers.offer('echo', ({ value, from, trust }) => ({ value, from: from ?? '', trust }), { title: 'Echo' });
    const run = (value?: never): Promise<unknown> => b.requests.run(`link:${a.link.name}`, 'echo', value);
    await expect(run()).rejects.toMatchObject({ code: 'forbidden' });
    expect(await b.requests.list(a.link.name)).toEqual([]);
    await a.service.rules.allow(b.link.name, 'command', 'echo');
    expect(await b.requests.list(a.link.name)).toEqual([{ name: 'echo', title: 'Echo' }]);
    expect(await run()).toEqual({ value: null, from: `link:${b.link.name}`, trust: 'paired' });
    for (const value of [0, false, '', 'text \u0000', { a: [1, { b: null }] }, Uint8Array.of(1, 2, 255)]) {
      expect(await run(value as never)).toMatchObject({ value });
    }
    await a.service.rules.deny(b.link.name, 'command', 'echo');
    await expect(run()).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('a grant is one of names, as of topics; whether another command is there is not told', async () => {
    a.offers.offer('lights/hall', () => 'on');
    a.offers.offer('doors/front', () => 'open');
    await a.service.rules.allow(b.link.name, 'command', 'lights/#');
    expect(await b.requests.run(a.link.name, 'lights/hall', undefined)).toBe('on');
    await expect(b.requests.run(a.link.name, 'lights/attic', undefined)).rejects.toMatchObject({ code: 'not-found' });
    for (const name of ['doors/front', 'doors/back']) await expect(b.requests.run(a.link.name, name, undefined)).rejects.toMatchObject({ code: 'forbidden' });
    expect((await b.requests.list(a.link.name)).map(({ name }) => name)).toEqual(['lights/hall']);
  });

  test('what goes wrong there is the same here', async () => {
    await a.service.rules.allow(b.link.name, 'command', '#');
    const codes = ['failed', 'busy', 'conflict', 'forbidden', 'invalid-value', 'not-found', 'too-large', 'timeout', 'unsupported'] as const;
    for (const code of codes) {
      a.offers.offer(code, () => { throw new LanpostError(code, 'these words'); });
      await expect(b.requests.run(a.link.name, code, 1)).rejects.toMatchObject({ code, message: expect.stringContaining('these words') });
    }
    a.offers.offer('unsayable', () => { throw new LanpostError('failed', `these \u0000 words${'.'.repeat(300_000)}`); });
    await expect(b.requests.run(a.link.name, 'unsayable', 1)).rejects.toMatchObject({ code: 'failed', message: expect.stringContaining('these \ufffd words') });
    a.offers.offer('much', () => 'x'.repeat(300_000));
    await expect(b.requests.run(a.link.name, 'much', 1)).rejects.toMatchObject({ code: 'too-large' });
    a.offers.offer('little', () => 1);
    await expect(b.requests.run(a.link.name, 'little', 'x'.repeat(300_000))).rejects.toMatchObject({ code: 'too-large' });
    expect(await b.requests.run(a.link.name, 'little', 1)).toBe(1);
  });

  test('who does not answer in time is not waited for; who is not there is unreachable', async () => {
    await a.service.rules.allow(b.link.name, 'command', '#');
    a.offers.offer('never', () => new Promise(() => undefined));
    await expect(b.requests.run(a.link.name, 'never', 1, { timeout: 200 })).rejects.toMatchObject({ code: 'timeout' });
    const stop = new AbortController();
    const stopped = b.requests.run(a.link.name, 'never', 1, { signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(stopped).rejects.toThrow('enough');
    await expect(b.requests.run('link:nobody@h9', 'x', 1)).rejects.toMatchObject({ code: 'unreachable' });
  });

  test('a command asks for its form when nothing is given', async () => {
    await a.service.rules.allow(b.link.name, 'command', '#');
    a.offers.offer('fill', ({ value }) => value, { fields: [{ name: 'seconds', kind: 'number', required: true }] });
    await expect(b.requests.run(a.link.name, 'fill', undefined)).rejects.toMatchObject({ code: 'invalid-value', message: expect.stringContaining('seconds') });
    expect(await b.requests.run(a.link.name, 'fill', { seconds: 3 })).toEqual({ seconds: 3 });
  });

  test('what follows a command does not wait for it', async () => {
    await a.service.rules.allow(b.link.name, 'command', '#');
    let end: (() => void) | undefined;
    a.offers.offer('slow', () => new Promise((resolve) => { end = () => resolve('at last'); }));
    const slow = b.requests.run(a.link.name, 'slow', 1);
    expect(await b.requests.request(a.link.name, "<query xmlns='http://jabber.org/protocol/disco#info'/>")).toContain('feature');
    await expect.poll(() => end !== undefined, { timeout: 20_000 }).toBe(true);
    const { delivered } = await b.link.send(a.link.name, xml('message', { type: 'chat', id: 'm' }, xml('body', {}, 'hi')));
    await delivered; // confirmed, though the command runs
    end?.();
    expect(await slow).toBe('at last');
  });

  test.each<[string, (end: () => void, fail: () => void) => void]>([
    ['gives', (end) => end()],
    ['fails with', (_, fail) => fail()],
  ])('what it %s is not told to whom may not run it any more', async (_, ends) => {
    for (const takeBack of ['revoke', 'deny'] as const) {
      await a.service.rules.allow(b.link.name, 'command', '#');
      let finish: (() => void) | undefined;
      const offer = a.offers.offer('slow', () => new Promise((resolve, reject) => {
        finish = () => ends(() => resolve('a secret'), () => reject(new LanpostError('conflict', 'a secret')));
        lan.bell.ring();
      }));
      const told = b.requests.run(a.link.name, 'slow', 1).then(() => 'an answer', (error: unknown) => error);
      await lan.bell.until(() => finish !== undefined);
      await (takeBack === 'revoke' ? a.service.rules.revoke(b.link.name) : a.service.rules.deny(b.link.name, 'command', '#'));
      finish?.();
      expect(await told).toMatchObject({ code: 'forbidden', message: expect.not.stringContaining('secret') });
      await offer.close();
    }
  });

  test('one that cannot be sent fails alone', async () => {
    await a.service.rules.allow(b.link.name, 'command', '#');
    let end: (() => void) | undefined;
    a.offers.offer('slow', () => new Promise((resolve) => { end = () => resolve('at last'); }));
    const slow = b.requests.run(a.link.name, 'slow', 1);
    await expect.poll(() => end !== undefined, { timeout: 20_000 }).toBe(true);
    await expect(b.requests.run(a.link.name, 'slow', 'x'.repeat(300_000))).rejects.toMatchObject({ code: 'too-large' });
    await expect(b.requests.run(a.link.name, 'slow\u0000', 1)).rejects.toMatchObject({ code: 'invalid-value' });
    end?.();
    expect(await slow).toBe('at last');
  });

  test('a topic of the same name stays one', async () => {
    await a.broker.publish(OWNER, 'hall', toPayload(1));
    a.offers.offer('hall', () => 'rung');
    await a.service.rules.allow(b.link.name, 'command', 'hall');
    await a.service.rules.allow(b.link.name, 'read', 'hall');
    const info = await b.requests.request(a.link.name, "<query xmlns='http://jabber.org/protocol/disco#info' node='hall'/>");
    expect(info).toMatch(/type='leaf'/);
    expect(info).toMatch(/type='command-node'/);
    await a.service.rules.revoke(b.link.name);
    await expect(b.requests.request(a.link.name, "<query xmlns='http://jabber.org/protocol/disco#info' node='hall'/>")).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('a request', () => {
  test('is any XML with a namespace, and gives what is in the answer', async () => {
    expect(await b.requests.request(a.link.name, "<query xmlns='http://jabber.org/protocol/disco#info'/>")).toContain("<feature var='http://jabber.org/protocol/commands'/>");
    await expect(b.requests.request(a.link.name, "<query xmlns='urn:nobody:knows'/>")).rejects.toMatchObject({ code: 'unsupported' });
    for (const bad of ['', '<a', '<a/>', '<a xmlns="x"/><b xmlns="x"/>', 'text']) await expect(b.requests.request(a.link.name, bad)).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(b.requests.request(a.link.name, `<a xmlns='x'>${'y'.repeat(300_000)}</a>`)).rejects.toMatchObject({ code: 'too-large' });
    await expect(b.requests.request(a.link.name, 1 as never)).rejects.toThrow(TypeError);
    await expect(b.requests.request('', '<a xmlns="x"/>')).rejects.toMatchObject({ code: 'invalid-value' });
  });
});

describe('a peer without a key', () => {
  const plain = async (): Promise<PlainStream> => {
    const alice = await plainPeer(lan, 3, 'alice@h3');
    await seen(a, alice.name);
    const stream = await alice.dial('10.77.0.1', a.link.status().port ?? 0);
    stream.write(purpleHeader(alice.name, a.link.name));
    await stream.reads('<stream:stream');
    return stream;
  };
  const RUN = "<iq type='set' id='r'><command xmlns='http://jabber.org/protocol/commands' node='lights/hall' action='execute'/></iq>";

  test('runs what the owner opens to all of them, and nothing else', async () => {
    a.offers.offer('lights/hall', ({ from, trust }) => `${from} ${trust}`);
    const stream = await plain();
    stream.write(RUN);
    expect(await stream.reads('</iq>')).toContain('forbidden');
    await a.service.rules.allow('class:plain', 'command', 'doors');
    stream.write(RUN);
    expect(await stream.reads('</iq>')).toContain('forbidden');
    await a.service.rules.allow('class:plain', 'command', 'lights/#');
    stream.write(RUN);
    expect(await stream.reads('</iq>')).toContain('link:alice@h3 none');
  });

  test('counts as one with all the others, whatever they call themselves: boxes have room', async () => {
    let running = 0;
    a.offers.offer('slow', () => { running += 1; return new Promise(() => undefined); });
    a.offers.offer('quick', () => 'done');
    await a.service.rules.allow('class:plain', 'command', 'slow');
    await a.service.rules.allow(b.link.name, 'command', 'quick');
    const streams = await Promise.all(Array.from({ length: 5 }, async (_, n) => {
      const one = await plainPeer(lan, 10 + n, `mallory${n}@h${10 + n}`);
      await seen(a, one.name);
      const stream = await one.dial('10.77.0.1', a.link.status().port ?? 0);
      stream.write(purpleHeader(one.name, a.link.name));
      await stream.reads('<stream:stream');
      return stream;
    }));
    const ask = (stream: PlainStream): void => { for (let n = 0; n < 4; n++) stream.write(`<iq type='set' id='s${n}'><command xmlns='http://jabber.org/protocol/commands' node='slow'/></iq>`); };
    streams.slice(0, 2).forEach(ask);
    await expect.poll(() => running, { timeout: 20_000 }).toBe(8);
    streams.slice(2).forEach(ask);
    for (const stream of streams.slice(2)) expect(await stream.reads('</iq>')).toContain('resource-constraint');
    expect(running).toBe(8);
    expect(await b.requests.run(a.link.name, 'quick', undefined)).toBe('done');
  });
});
