import { describe, expect, test } from 'vitest';
import type { About, PeerStatus } from '../../src/api.ts';
import { OwnPresence } from '../../src/link/own-presence.ts';
import { TXT_BYTES, txtBytes } from '../../src/link/presence.ts';
import { memoryRegistry } from '../trust/fixtures.ts';

const caps = () => ({ node: 'urn:lanpost:0', hash: 'sha-1', ver: 'QgayPKawpkPSDYmwT/WM94uAlu0=' });
const opened = (registry = memoryRegistry(), about?: About): OwnPresence => new OwnPresence({ registry, label: 'hall', caps, ...(about ? { about } : {}) });
const keys = (own: OwnPresence): string[] => own.txt(5298).map(([key]) => key);

describe('what this box says of itself', () => {
  test('comes back after a restart, the status too', async () => {
    const registry = memoryRegistry();
    const own = opened(registry);
    await Promise.all([own.setStatus('dnd', 'measuring'), own.setAbout({ nick: 'n', email: ['a@b'] }), own.setAbout({ first: 'Ada' })]);
    expect(opened(registry).said).toEqual({ status: 'dnd', statusText: 'measuring', about: { nick: 'n', email: ['a@b'], first: 'Ada' } });
    await own.setStatus('available');
    expect(opened(registry).said.status).toBe('available');
    expect(opened(registry).said).not.toHaveProperty('statusText');
  });

  test('that was kept when less was said beside it is no reason not to start', async () => {
    const registry = memoryRegistry();
    const about = { first: 'f'.repeat(200), last: 'l'.repeat(200), nick: 'n'.repeat(200), email: [`${'e'.repeat(190)}@b`], jid: [`${'j'.repeat(190)}@b`] };
    await registry.set('link/presence', { status: 'away', text: 'x'.repeat(251), about });
    expect(txtBytes(opened(registry).txt(5298))).toBeGreaterThan(TXT_BYTES);
    expect(() => opened(registry, { nick: 'run' + 'n'.repeat(200) })).toThrow(/TXT record has at most/);
    await opened(registry).setStatus('available');
    expect(txtBytes(opened(registry).txt(5298))).toBeLessThanOrEqual(TXT_BYTES);
  });

  test('given for one run goes before what was kept, and is not kept', async () => {
    const registry = memoryRegistry();
    await opened(registry).setAbout({ nick: 'kept', last: 'L' });
    const own = opened(registry, { nick: 'run', personal: false });
    expect(own.said.about).toEqual({ nick: 'run', last: 'L', personal: false });
    await own.setAbout({ first: 'Ada' });
    expect(opened(registry).said.about).toEqual({ nick: 'kept', last: 'L', first: 'Ada' });
  });

  test('may be nothing of a person, at the start and later, and all of it again', async () => {
    const own = opened(memoryRegistry(), { first: 'Ada', nick: 'n', email: ['a@b'], jid: ['a@b'], personal: false });
    const personal = ['1st', 'last', 'nick', 'email', 'jid'];
    expect(keys(own).filter(key => personal.includes(key))).toEqual([]);
    await own.setAbout({ personal: true });
    expect(keys(own)).toEqual(expect.arrayContaining(personal));
    await own.setAbout({ personal: false });
    expect(keys(own).filter(key => personal.includes(key))).toEqual([]);
  });

  test('is told to the link when it has changed, and only then', async () => {
    const own = opened();
    let told = 0;
    own.use(() => { told += 1; });
    await own.setStatus('away');
    await expect(own.setStatus('partying' as PeerStatus)).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(own.setStatus('away', 'x'.repeat(252))).rejects.toMatchObject({ code: 'too-large' });
    await expect(own.setStatus('away', 1 as unknown as string)).rejects.toThrow(TypeError);
    expect(told).toBe(1);
  });

  test('that would make the record longer than DNS-SD advises is refused, and changes nothing', async () => {
    const own = opened();
    const long = 'x'.repeat(249);
    await own.setAbout({ first: long, last: long, nick: long });
    await expect(own.setAbout({ email: [`${'x'.repeat(240)}@b`], jid: [`${'x'.repeat(240)}@b`] })).rejects.toMatchObject({ code: 'too-large', message: expect.stringContaining('1300') as string });
    expect(own.said.about).not.toHaveProperty('email');
    expect(txtBytes(own.txt(65_535))).toBeLessThanOrEqual(TXT_BYTES);
    await own.setAbout({ nick: 'short' });
    expect(() => opened(memoryRegistry(), { first: long, last: long, nick: long, email: [`${'x'.repeat(240)}@b`], jid: [`${'x'.repeat(240)}@b`] })).toThrow(/1300/);
  });

  test('given wrongly at the start is refused', () => {
    expect(() => opened(memoryRegistry(), { nick: 7 } as never)).toThrow('link.about.nick must be a string');
  });

  test('that cannot be kept is not said', async () => {
    const registry = { ...memoryRegistry(), set: () => Promise.reject(new Error('no room')) };
    const own = opened(registry);
    await expect(own.setStatus('away')).rejects.toThrow('no room');
    expect(own.said.status).toBe('available');
  });
});
