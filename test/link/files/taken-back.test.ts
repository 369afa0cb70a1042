// What an owner takes back while a file is on its way.
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FileEvent } from '../../../src/api.ts';
import { acquainted, SimulatedLan } from '../fixtures.ts';
import { type ServiceBox, serviceBox } from '../service-box.ts';
import { first, next, outcome } from './file-events.ts';

const BIG = 20_000_000;

let lan: SimulatedLan;
let a: ServiceBox;
let b: ServiceBox;
beforeEach(async () => {
  lan = new SimulatedLan();
  [a, b] = await Promise.all([serviceBox(lan, 1, 'a'), serviceBox(lan, 2, 'b')]);
  await acquainted(a, b);
});
afterEach(() => lan.close());

const files = (box: ServiceBox): ServiceBox['service']['files']['box'] => box.service.files.box;
const send = (): AsyncIterableIterator<FileEvent> => files(a).send('b@h2', { name: 'x', data: randomBytes(BIG) });
const nothingIsLeft = async (): Promise<void> => {
  const here = (folder: string): Promise<string[]> => readdir(join(b.dir, 'files', folder)).catch(() => []);
  await lan.bell.until(async () => (await here('.incoming')).length === 0);
  expect([await here(`a@h1=${a.identity.fingerprint.slice(0, 16)}`), await files(b).list()]).toEqual([[], []]);
};

describe('a file that comes', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['the peer is revoked', () => b.service.rules.revoke('a@h1')],
    ['its files are denied', () => b.service.rules.deny('a@h1', 'files')],
  ])('and is taken without asking ends when %s; its owner and its sender are told, and nothing of it is kept', async (_, takeBack) => {
    await b.service.rules.allow('a@h1', 'files');
    const watching = files(b).watch();
    const sending = outcome(send());
    await next(watching, 'progress');
    await takeBack();
    expect(await next(watching, 'failed')).toMatchObject({ direction: 'in', code: 'forbidden' });
    // By the refusal of a block, or by the end of the bytes: whichever is there first.
    expect(await sending).toMatchObject({ type: 'failed', code: expect.stringMatching(/^(disconnected|forbidden)$/) });
    await nothingIsLeft();
    await watching.return?.();
  });

  test('and was accepted by hand ends when files of that peer are denied, and of the class as well', async () => {
    for (const who of ['a@h1', 'class:seen']) {
      const sending = outcome(send());
      const { id } = await first(files(b).offers());
      const events = files(b).accept(id);
      await next(events, 'progress');
      await b.service.rules.deny(who, 'files');
      expect(await outcome(events)).toMatchObject({ type: 'failed', code: 'forbidden' });
      expect(await sending).toMatchObject({ type: 'failed' });
      await nothingIsLeft();
      await b.service.rules.revoke(who);
    }
  });

  test('or is offered, accepted from a paired peer, ends when that is paired no more', async () => {
    await b.service.rules.allow('a@h1', 'chat');
    const [one, other] = [outcome(send()), outcome(send())];
    const offers = files(b).offers();
    const { value: { id } } = await offers.next() as { value: FileEvent };
    const events = files(b).accept(id);
    await next(events, 'progress');
    const waiting = await first(files(b).watch(), ({ id: own, type }) => own !== id && type === 'offered');
    expect(waiting).toMatchObject({ trust: 'paired' });
    await b.service.rules.revoke('a@h1');
    expect(await outcome(events)).toMatchObject({ type: 'failed', code: 'forbidden' });
    // To an offer XEP-0095 has an answer.
    expect((await Promise.all([one, other])).map(({ code }) => code)).toContain('forbidden');
    await nothingIsLeft();
    await offers.return?.();
  });

  test('and rests on nothing that was said goes on', async () => {
    const sending = outcome(send());
    const { id } = await first(files(b).offers());
    const events = files(b).accept(id);
    await next(events, 'progress');
    await b.service.rules.deny('a@h1', 'read', '#');
    await b.service.rules.revoke('a@h1');
    expect(await sending).toMatchObject({ type: 'done' });
    expect(await outcome(events)).toMatchObject({ type: 'done' });
  });
});

describe('a file that goes', () => {
  test('to a paired peer ends when that is revoked', async () => {
    await a.service.rules.allow('b@h2', 'chat');
    const events = send();
    const { id } = await first(files(b).offers());
    const received = outcome(files(b).accept(id));
    await next(events, 'progress');
    await a.service.rules.revoke('b@h2');
    expect(await outcome(events)).toMatchObject({ type: 'failed', direction: 'out', code: 'forbidden' });
    expect(await received).toMatchObject({ type: 'failed', code: 'disconnected' });
    await nothingIsLeft();
  });

  test('to a peer that may send none goes on: the right is to send here', async () => {
    const events = send();
    const { id } = await first(files(b).offers());
    const received = outcome(files(b).accept(id));
    await next(events, 'progress');
    await a.service.rules.deny('b@h2', 'files');
    expect(await outcome(events)).toMatchObject({ type: 'done' });
    expect(await received).toMatchObject({ type: 'done' });
  });
});
