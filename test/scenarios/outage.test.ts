import { describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { sendThroughOutage, untrue } from './outage.ts';

const MESSAGES = 300;

describe.skipIf(!needs('root', 'prosody', 'mosquitto'))('a flow whose path to its servers dies silently', () => {
  it('lanpost loses and doubles nothing, Catch has nothing to do, and the nodes say what waits', async () => {
    const [ours, ...others] = await sendThroughOutage({ messages: MESSAGES, cut: 12_000, quiet: 3_000 });
    expect(ours).toMatchObject({ lost: 0, doubled: 0, caught: 0, completed: 0 });
    const said = (node: string): string[] => ours?.shown.flatMap((one) => (one.node === node ? [one.text] : [])) ?? [];
    // Accepted is what is on this machine's disk, path or not.
    expect(said('lanpost').at(-1)).toMatch(/^published \d+$/);
    // From its second look on, the home's node says that nothing gets there.
    const [, ...after] = said('home').filter((text) => text !== 'no home' && !/^(connecting|online)$/.test(text));
    expect(after.length).toBeGreaterThan(3);
    for (const text of after) expect(text).toMatch(/ \d+ queued, oldest \d+ s/);
    expect(after.at(-1)).toMatch(/^no answer for \d+ s/);
    expect(Number(/(\d+) queued/.exec(after.at(-1) ?? '')?.[1])).toBeGreaterThan(MESSAGES / 2);
    // What it says is so: it is not online, once that can be known, and so many wait; nobody else says as much.
    expect(untrue(ours?.shown ?? [])).toEqual([]);
    expect(others.map(({ shown }) => untrue(shown).map(({ text }) => text))).toEqual([['connected'], ['connected']]);
    // And when it is over, nothing does.
    expect(ours?.atEnd).toEqual([expect.stringMatching(/^published \d+$/), 'online']);
    // The other roads were there to be compared with.
    expect(others.map(({ road }) => road.name)).toEqual(['mqtt', 'mqtt-15']);
  }, 300_000);
});
