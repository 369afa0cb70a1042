import { describe, expect, it } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { xml, type Element } from '../../src/xmpp/element.ts';
import { IqCaller } from '../../src/xmpp/iq.ts';

function caller() {
  const clock = createTestClock();
  const sent: Element[] = [];
  const iq = new IqCaller({ send: (element) => { sent.push(element); }, clock, timeout: 1000, limit: 2, self: () => ['me@home.test', 'home.test'] });
  const ask = (to?: string) => iq.request(xml('iq', { type: 'get', ...(to === undefined ? {} : { to }) }));
  const answer = (from: string | undefined, n = 0, type = 'result') => iq.receive(xml('iq', { type, id: String(sent[n]?.attrs['id']), ...(from === undefined ? {} : { from }) }));
  return { clock, iq, ask, answer };
}

describe('a request', () => {
  it.each([
    ['svc.test', 'svc.test', true], ['svc.test', 'SVC.test', true], ['svc.test', 'evil.test', false], ['svc.test', undefined, false],
    [undefined, undefined, true], [undefined, 'me@home.test', true], [undefined, 'home.test', true], [undefined, 'evil.test', false], ['me@home.test', undefined, true],
  ])('to %s is answered by %s: %s', async (to, from, taken) => {
    const { ask, answer, iq } = caller();
    const asked = ask(to);
    asked.catch(() => undefined);
    expect(answer(from)).toBe(taken);
    if (!taken) iq.fail();
    expect(await asked.then(() => true, () => false)).toBe(taken);
  });
  it('times out, and its late answer is nobody\'s', async () => {
    const { ask, answer, clock } = caller();
    const asked = ask('svc.test');
    clock.advance(1000);
    await expect(asked).rejects.toMatchObject({ code: 'timeout' });
    expect(answer('svc.test')).toBe(false);
  });
  it('rejects with the error of the answer', async () => {
    const { ask, answer } = caller();
    const asked = ask('svc.test');
    answer('svc.test', 0, 'error');
    await expect(asked).rejects.toMatchObject({ condition: 'undefined-condition' });
  });
  it('fails at once when the session is over', async () => {
    const { ask, iq } = caller();
    iq.close();
    await expect(ask('svc.test')).rejects.toMatchObject({ code: 'disconnected' });
  });
  it('has the id that its protocol asks for, once at a time', async () => {
    const { iq } = caller();
    const ask = (): Promise<Element> => iq.request(xml('iq', { type: 'set', to: 'svc.test' }), { id: 'sid' });
    const first = ask();
    await expect(ask()).rejects.toMatchObject({ code: 'conflict' });
    iq.receive(xml('iq', { type: 'result', id: 'sid', from: 'svc.test' }));
    await first;
    const again = ask();
    iq.receive(xml('iq', { type: 'result', id: 'sid', from: 'svc.test' }));
    await again;
  });
  it('is refused when too many wait', async () => {
    const { ask, iq } = caller();
    const all = [ask('a.test'), ask('b.test')];
    await expect(ask('c.test')).rejects.toMatchObject({ code: 'busy' });
    iq.fail();
    for (const one of all) await expect(one).rejects.toMatchObject({ code: 'disconnected' });
  });
});
