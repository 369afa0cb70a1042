import { afterEach, expect, test } from 'vitest';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { DEFAULT_LIMITS } from '../../src/options.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { type Actor, OWNER } from '../../src/pubsub/actor.ts';
import { Broker } from '../../src/pubsub/broker.ts';
import { closeAll, openMemory } from '../log/log-fixture.ts';

afterEach(closeAll);

/** A disk of which reads take until they are let. */
class SlowDatabase extends MemoryDatabase {
  readonly waiting: (() => void)[] = [];
  slow: boolean = false;

  async #turn(): Promise<void> {
    if (this.slow) await new Promise<void>((resolve) => { this.waiting.push(resolve); });
  }

  override async range(...what: Parameters<MemoryDatabase['range']>): ReturnType<MemoryDatabase['range']> {
    await this.#turn();
    return super.range(...what);
  }

  override async getMany(...what: Parameters<MemoryDatabase['getMany']>): ReturnType<MemoryDatabase['getMany']> {
    await this.#turn();
    return super.getMany(...what);
  }

  go(): void {
    this.slow = false;
    for (const go of this.waiting.splice(0)) go();
  }
}

const PEER: Actor = { kind: 'peer', name: 'm', fingerprint: 'a'.repeat(64) };

test.each([
  ['items', (broker: Broker) => broker.items(PEER, 't', { last: 2 })],
  ['a page of them', (broker: Broker) => broker.page(PEER, 't', { max: 2 })],
  ['what has changed', (broker: Broker) => broker.changes(PEER, 't', 1)],
])('%s that are being read go to nobody who may not have them any more', async (_, read) => {
  const database = new SlowDatabase();
  const { log, clock } = await openMemory({ database, limits: { ringBytes: 0 } });
  let may = true;
  const broker = new Broker({ log, clock, trouble: () => undefined, limits: DEFAULT_LIMITS, may: () => may });
  await broker.create(OWNER, 't');
  for (const text of ['one', 'two', 'three']) await broker.publish(OWNER, 't', toPayload(text));
  expect(await read(broker)).toBeTruthy();
  database.slow = true;
  const outcome = read(broker).then(() => 'given', (error: unknown) => error);
  await expect.poll(() => database.waiting.length).toBeGreaterThan(0);
  may = false;
  database.go();
  expect(await outcome).toMatchObject({ code: 'forbidden' });
});
