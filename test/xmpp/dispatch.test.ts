import { describe, expect, it } from 'vitest';
import { Dispatcher, LATER } from '../../src/xmpp/dispatch.ts';
import { xml } from '../../src/xmpp/element.ts';

describe('a request', () => {
  it('that is answered later is done for now, and has no reply yet', async () => {
    const dispatcher = new Dispatcher();
    dispatcher.iq('set', 'urn:x', 'x', () => Promise.resolve(LATER));
    dispatcher.iq('get', 'urn:x', 'x', () => Promise.resolve(undefined));
    const ask = (type: string): ReturnType<Dispatcher['dispatch']> => dispatcher.dispatch(xml('iq', { type, id: '1', from: 'b@h2' }, xml('x', { xmlns: 'urn:x' })), undefined);
    expect(await ask('set')).toBeUndefined();
    expect((await ask('get'))?.attrs).toMatchObject({ type: 'result', id: '1', to: 'b@h2' });
  });
});
