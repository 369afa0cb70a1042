import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLan, type Lan } from './lan.ts';
import { needs } from './needs.ts';
import { type Purple, startPurple } from './purple.ts';

/** COMPAT(libpurple 2.14): hangs up on whom it does not know by that very address yet, and the message is lost without an error. */
async function heard(alice: Purple, bob: Purple, tries = 5): Promise<void> {
  alice.send('bob@h2', 'grüße');
  const came = bob.event((one) => one.event === 'im' && one.buddy === 'alice@h1' && (one.text ?? '').includes('grüße'), { timeout: 3_000 });
  await came.catch((error: unknown) => (tries > 1 ? heard(alice, bob, tries - 1) : Promise.reject(error)));
}

describe.skipIf(!needs('root', 'avahi-daemon', 'libpurple'))('libpurple without a user interface', () => {
  let lan: Lan;
  beforeAll(async () => {
    lan = await createLan(2);
    await Promise.all([lan.avahi(1), lan.avahi(2)]);
  });
  afterAll(() => lan?.down());

  it('two of them see each other, chat, and see one leave', async () => {
    const [alice, bob] = await Promise.all([startPurple(lan, 1, 'alice'), startPurple(lan, 2, 'bob')]);
    expect([alice.name, bob.name]).toEqual(['alice@h1', 'bob@h2']);
    await Promise.all([alice.event({ event: 'online', buddy: 'bob@h2' }), bob.event({ event: 'online', buddy: 'alice@h1' })]);
    await heard(alice, bob);
    await alice.quit();
    await bob.event({ event: 'removed', buddy: 'alice@h1' });
    await expect(bob.event({ event: 'never' }, { timeout: 50 })).rejects.toThrow('50 ms passed');
    await bob.kill();
  });
});
