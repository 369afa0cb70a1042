import { describe, expect, it } from 'vitest';
import { nodeRedSettings } from '../../src/editor/settings.ts';
import type { Box, Trouble } from '../../src/index.ts';

interface Logging { readonly logging: { readonly lanpost: { handler(): (entry: object) => void } } }

describe('what Node-RED logs', () => {
  const told = (entry: object): Trouble[] => {
    const troubles: Trouble[] = [];
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing of the box is looked at
    const settings = nodeRedSettings({ box: {} as Box, userDir: '/', packageRoot: '/', port: 1, credentialSecret: '', words: (key) => key, trouble: (trouble) => { troubles.push(trouble); } });
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- settings are whatever Node-RED takes
    (settings as unknown as Logging).logging.lanpost.handler()({ level: 30, ...entry });
    return troubles;
  };

  it('is told with where it comes from, whatever it is', () => {
    expect(told({ type: 'function', name: 'mine', msg: 'beware' })).toEqual([{ kind: 'editor.node-red', message: '[function mine] beware' }]);
    expect(told({ msg: new Error('broken') })).toMatchObject([{ message: 'broken' }]);
    expect(told({ msg: { a: [1, null] } })).toMatchObject([{ message: '{ a: [ 1, null ] }' }]);
    expect(told({ msg: undefined })).toMatchObject([{ message: 'undefined' }]);
  });

  it('throws into no flow that warns with what holds itself, as a message with its request does, or is very long', () => {
    const msg: { payload: bigint; long: string; req?: object } = { payload: 5n, long: 'x'.repeat(1_000_000) };
    msg.req = { msg };
    const [trouble] = told({ msg });
    expect(trouble?.message).toMatch(/payload: 5n/);
    expect(trouble?.message.length).toBeLessThan(5000);
  });
});
