// Whose folder a file lies in, between whole boxes: names are free, keys are not.
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FileEvent } from '../../../src/api.ts';
import { acquainted, seen, SimulatedLan } from '../fixtures.ts';
import { type ServiceBox, serviceBox } from '../service-box.ts';
import { outcome } from './file-events.ts';

let lan: SimulatedLan;
beforeEach(() => { lan = new SimulatedLan(); });
afterEach(() => lan.close());

const send = (from: ServiceBox, to: ServiceBox, name: string, size: number): Promise<FileEvent> => outcome(from.service.files.box.send(to.link.name, { name, data: randomBytes(size) }));
const inFolder = (from: ServiceBox, at: ServiceBox): Promise<string[]> => readdir(join(at.dir, 'files', `b@h2=${from.identity.fingerprint.slice(0, 16)}`));
const leaves = async (box: ServiceBox, from: ServiceBox): Promise<void> => {
  await box.close();
  await lan.until(() => from.link.peers.get('b@h2') === undefined);
};
const known = (one: ServiceBox, other: ServiceBox): Promise<unknown> => Promise.all([seen(one, other.link.name), seen(other, one.link.name)]);

describe('who takes the name of another key', () => {
  test('that was seen, and may send files like it, neither writes into its folder nor uses up its room', async () => {
    const a = await serviceBox(lan, 1, 'a', { limits: { peerFilesBytes: 100_000 } });
    const b = await serviceBox(lan, 2, 'b');
    await acquainted(a, b);
    await a.trust.allow('class:seen', 'files');
    expect(await send(b, a, 'plan.pdf', 1_000)).toMatchObject({ type: 'done' });
    await leaves(b, a);
    const mallory = await serviceBox(lan, 2, 'b');
    await known(a, mallory);
    expect(await send(mallory, a, 'plan.pdf', 99_500)).toMatchObject({ type: 'done' });
    await leaves(mallory, a);
    const again = await serviceBox(lan, 2, 'b', { identity: b.identity });
    await known(a, again);
    expect(await send(again, a, 'plan 2.pdf', 1_000)).toMatchObject({ type: 'done' });
    expect([(await inFolder(b, a)).toSorted(), await inFolder(mallory, a)]).toEqual([['plan 2.pdf', 'plan.pdf'], ['plan.pdf']]);
  });

  test('that was revoked, and is paired itself, does not get its folder', async () => {
    const a = await serviceBox(lan, 1, 'a');
    const b = await serviceBox(lan, 2, 'b');
    await acquainted(a, b);
    await a.service.rules.allow('b@h2', 'files');
    expect(await send(b, a, 'plan.pdf', 1_000)).toMatchObject({ type: 'done' });
    await a.service.rules.revoke('b@h2');
    await leaves(b, a);
    const other = await serviceBox(lan, 2, 'b');
    await known(a, other);
    await a.service.rules.allow('b@h2', 'files');
    expect(await send(other, a, 'plan.pdf', 1_000)).toMatchObject({ type: 'done' });
    expect([await inFolder(b, a), await inFolder(other, a)]).toEqual([['plan.pdf'], ['plan.pdf']]);
  });
});
