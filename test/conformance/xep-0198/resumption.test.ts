import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SimulatedLan, type TestBox } from '../../link/fixtures.ts';
import { plainPeer, purpleHeader, type PlainStream } from '../../link/plain-peer.ts';
import { secureCaller } from '../../link/secure-caller.ts';
import { seen } from '../../link/fixtures.ts';

const ENABLE = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";
const resume = (previd: string, h: number | string): string => `<resume xmlns='urn:xmpp:sm:3' previd='${previd}' h='${h}'/>`;
const message = (body: string): string => `<message><body>${body}</body></message>`;

describe('XEP-0198 §5 Resumption, between boxes', () => {
  let lan: SimulatedLan;
  let a: TestBox;
  let key: string;
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await lan.box(1, 'a');
    ({ key } = await lan.identity());
  });
  afterEach(() => lan.close());

  const call = (other: { key?: string | null; host?: number; name?: string } = {}): Promise<PlainStream> => secureCaller(lan, a, { key, ...other });
  /** A stream on which one message was taken, and its session's id. */
  const talked = async (): Promise<{ stream: PlainStream; id: string }> => {
    const stream = await call();
    stream.write(ENABLE);
    const enabled = await stream.reads(/<enabled[^>]*>/);
    stream.write(`${message('one')}<r xmlns='urn:xmpp:sm:3'/>`);
    await stream.reads(/<a [^>]*h='1'/);
    return { stream, id: /id=["']([^"']+)/.exec(enabled)?.[1] ?? '' };
  };
  const lost = async (stream: PlainStream): Promise<void> => {
    stream.destroy();
    await lan.until(() => a.link.peers.describe('mallory@h2')?.connected === false);
  };
  const bodies = (): string[] => a.messages.map(({ body }) => body);

  it('§5 <enabled/> has resume, an id, and max, the seconds it is kept', async () => {
    const stream = await call();
    stream.write(ENABLE);
    const enabled = await stream.reads(/<enabled[^>]*>/);
    expect(enabled).toMatch(/resume=["']true["']/);
    expect(enabled).toMatch(/id=["'][0-9a-f]{32}["']/);
    expect(enabled).toMatch(/max=["']30["']/);
  });

  it('§3 who does not ask for resumption gets none', async () => {
    const stream = await call();
    stream.write("<enable xmlns='urn:xmpp:sm:3'/>");
    expect(await stream.reads(/<enabled[^>]*>/)).not.toMatch(/resume|id=/);
  });

  it('§5 <resumed/> says the previd and what was handled; what was not comes again and is taken', async () => {
    const { stream, id } = await talked();
    await lost(stream);
    const again = await call();
    again.write(resume(id, 0));
    const resumed = await again.reads(/<resumed[^>]*>/);
    expect(resumed).toMatch(/h=["']1["']/);
    expect(resumed).toContain(id);
    again.write(`${message('two')}<r xmlns='urn:xmpp:sm:3'/>`);
    await again.reads(/<a [^>]*h='2'/);
    expect(bodies()).toEqual(['one', 'two']);
    expect(a.closed).toEqual([]);
  });

  it('§5 a stream that is still taken for alive ends when its session is resumed over another, and brings nothing more', async () => {
    const { stream, id } = await talked();
    const again = await call();
    again.write(resume(id, 0));
    await again.reads(/<resumed[^>]*>/);
    stream.write(message('from the old one'));
    await stream.closes();
    again.write(`${message('two')}<r xmlns='urn:xmpp:sm:3'/>`);
    await again.reads(/<a [^>]*h='2'/);
    expect(bodies()).toEqual(['one', 'two']);
  });

  /** Refused, and then a new session on the same stream. */
  const refused = async (stream: PlainStream, asked: string): Promise<string | undefined> => {
    stream.write(asked);
    const why = /<([a-z-]+) xmlns=["']urn:ietf:params:xml:ns:xmpp-stanzas/.exec(await stream.reads('</failed>'));
    stream.write(ENABLE);
    await stream.reads(/<enabled[^>]*>/);
    stream.write(`${message('anew')}<r xmlns='urn:xmpp:sm:3'/>`);
    await stream.reads(/<a [^>]*h='1'/);
    expect(bodies().at(-1)).toBe('anew');
    return why?.[1];
  };

  it('§5 an unknown previd fails, and a new session begins', async () => {
    expect(await refused(await call(), resume('0123456789abcdef', 0))).toBe('item-not-found');
  });

  it('§5 a session that was closed with its stream cannot be resumed', async () => {
    const { stream, id } = await talked();
    stream.write('</stream:stream>');
    await stream.closes();
    expect(await refused(await call(), resume(id, 0))).toBe('item-not-found');
  });

  it.each([['above what was sent', 7], ['that is no number', 'x'], ['below zero', -1], ['over 2^32', 4_294_967_296]])('§5 an h %s fails, and a new session begins', async (_, h) => {
    const { stream, id } = await talked();
    await lost(stream);
    expect(await refused(await call(), resume(id, h))).toBe('item-not-found');
    expect(a.closed).toHaveLength(1);
  });

  it('§5 another key cannot resume it, and takes nothing from who can', async () => {
    const { stream, id } = await talked();
    expect(await refused(await secureCaller(lan, a, { host: 3 }), resume(id, 1))).toBe('item-not-found');
    stream.write(`${message('still here')}<r xmlns='urn:xmpp:sm:3'/>`);
    await stream.reads(/<a [^>]*h='2'/);
    await lost(stream);
    const again = await call();
    again.write(resume(id, 0));
    expect(await again.reads(/<resumed[^>]*>/)).toMatch(/h=["']2["']/);
  });

  it('§5 nobody resumes in the clear, nor without a key, nor in the middle of a stream', async () => {
    const { stream, id } = await talked();
    stream.write(resume(id, 0));
    expect(await stream.reads('</failed>')).toContain('unexpected-request');
    await lost(stream);
    const keyless = await secureCaller(lan, a, { host: 3, key: null });
    keyless.write(resume(id, 0));
    expect(await keyless.reads('</failed>')).toContain('unexpected-request');
    const plain = await plainPeer(lan, 4, 'purple@h4');
    await seen(a, plain.name);
    const clear = await plain.dial('10.77.0.1', a.link.status().port ?? 0);
    clear.write(purpleHeader('purple@h4', 'a@h1') + resume(id, 0));
    expect(await clear.reads('</failed>')).toContain('unexpected-request');
  });

  it('§3 it is enabled once', async () => {
    const { stream } = await talked();
    stream.write(ENABLE);
    expect(await stream.reads('</failed>')).toContain('unexpected-request');
  });
});
