import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Identity } from '../../src/trust/identity.ts';
import { seeded } from '../support/seeded.ts';
import { acquainted, SimulatedLan } from './fixtures.ts';
import { serviceBox, type ServiceBox } from './service-box.ts';

const numbered = (from: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${from}${i}`);

let lan: SimulatedLan;
let keys: Identity[];
beforeEach(async () => {
  lan = new SimulatedLan();
  keys = await Promise.all([lan.identity(), lan.identity()]);
});
afterEach(() => lan.close());

const turns = async (count: number): Promise<void> => { for (let i = 0; i < count; i += 1) await nextTurn(); };

const say = async (from: ServiceBox, to: ServiceBox, texts: readonly string[]): Promise<void> => {
  const receipts = [];
  for (const text of texts) receipts.push(await from.mail.send(`link:${to.link.name}`, text));
  await Promise.all(receipts.map(({ delivered }) => delivered));
};

async function inbox(box: ServiceBox): Promise<string[]> {
  const bodies: string[] = [];
  for (const topic of ['$inbox/seen', '$inbox/paired']) {
    if (!box.log.topic(topic)) continue;
    for (const { payload, kind } of await box.log.items(topic, { last: 1_000, limit: 1_000 })) if (kind === 'publish') bodies.push(new TextDecoder().decode(payload?.bytes));
  }
  return bodies;
}

/** Everything that comes in, as it comes. */
function collected(box: ServiceBox): string[] {
  const bodies: string[] = [];
  const reader = box.mail.messages({ name: 'all' });
  lan.onClose(() => reader.close());
  (async () => {
    for await (const { body } of reader) {
      bodies.push(body);
      lan.bell.ring();
    }
  })().catch(() => undefined); // the box is closed
  return bodies;
}

describe('two boxes that call each other at once', () => {
  test('settle on one stream, the same one, and lose, double and reorder nothing, however their calls cross', async () => {
    const random = seeded(20);
    let crossed = 0;
    for (let round = 0; round < 200; round += 1) {
      // Which of the keys goes first must not matter.
      const [first, second] = random() < 0.5 ? keys : keys.toReversed();
      const [a, b] = await Promise.all([
        serviceBox(lan, 1, 'a', first ? { identity: first } : {}), serviceBox(lan, 2, 'b', second ? { identity: second } : {}),
      ]);
      await acquainted(a, b);
      const dials = lan.dials.length;
      const waits = [random(), random()].map(part => Math.floor(part * part * 12));
      await Promise.all([
        turns(waits[0] ?? 0).then(() => say(a, b, numbered(`a${round}-`, 5))),
        turns(waits[1] ?? 0).then(() => say(b, a, numbered(`b${round}-`, 5))),
      ]);
      if (lan.dials.length - dials > 1) crossed += 1;
      await lan.until(() => lan.sockets.size === 2);
      expect(await inbox(b)).toEqual(numbered(`a${round}-`, 5));
      expect(await inbox(a)).toEqual(numbered(`b${round}-`, 5));
      await Promise.all([a.close(), b.close()]);
      await lan.until(() => lan.sockets.size === 0);
    }
    expect(crossed).toBeGreaterThan(50);
  });
});

describe('two boxes whose streams are cut again and again', () => {
  test('lose, double and reorder no message', async () => {
    const random = seeded(21);
    const [a, b] = await Promise.all([serviceBox(lan, 1, 'a'), serviceBox(lan, 2, 'b')]);
    await acquainted(a, b);
    const read = [b, a].map(box => collected(box));
    const cutting = new AbortController();
    const cuts = (async () => {
      for (let cut = 0; cut < 15; cut += 1) {
        await lan.until(() => lan.sockets.size >= 2);
        await turns(Math.floor(random() * 150));
        for (const socket of lan.sockets) socket.destroy();
      }
      cutting.abort();
    })();
    let sent = 0;
    const talk = async (from: ServiceBox, to: ServiceBox, name: string): Promise<number> => {
      const receipts = [];
      let count = 0;
      while (!cutting.signal.aborted || count < 100) {
        receipts.push(await from.mail.send(`link:${to.link.name}`, `${name}${count}`));
        count += 1;
        sent += 1;
        await turns(Math.floor(random() * 200));
      }
      await Promise.all(receipts.map(({ delivered }) => delivered));
      return count;
    };
    const [fromA, fromB] = await Promise.all([talk(a, b, 'a'), talk(b, a, 'b'), cuts]);
    await lan.until(() => read[0]?.length === fromA && read[1]?.length === fromB);
    expect(read).toEqual([numbered('a', fromA), numbered('b', fromB)]);
    expect(sent).toBeGreaterThan(200);
  });
});
