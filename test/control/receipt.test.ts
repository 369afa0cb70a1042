import { afterEach, describe, expect, it } from 'vitest';
import type { Receipt } from '../../src/api.ts';
import { deferred, type Deferred } from '../../src/control/deferred.ts';
import { CONTROL_LIMITS } from '../../src/control/limits.ts';
import { receiptSource } from '../../src/control/receipt-source.ts';
import { remoteBox } from '../../src/control/remote-box.ts';
import type { Service } from '../../src/control/service.ts';
import { LanpostError } from '../../src/errors.ts';
import { sandbox, type Sandbox } from './sandbox.ts';

type Steps = Record<'accepted' | 'handed' | 'delivered', Deferred<void>>;

/** Sends nothing: the tests say what becomes of a message. */
function post(): { service: Service; sent: Steps[] } {
  const sent: Steps[] = [];
  const service: Service = {
    call: async () => undefined,
    open: (_, [address, body]) => receiptSource(async (): Promise<Receipt> => {
      if (address === 'link:nowhere') throw new LanpostError('unreachable', 'nobody there');
      const steps = { accepted: deferred<void>(), handed: deferred<void>(), delivered: deferred<void>() };
      sent.push(steps);
      return { id: String(body), to: String(address), accepted: steps.accepted.promise, handed: steps.handed.promise, delivered: steps.delivered.promise };
    }),
  };
  return { service, sent };
}

describe('a receipt across the socket', () => {
  let server: Sandbox;
  afterEach(() => server[Symbol.asyncDispose]());
  const attach = async (service: Service, receipts: number = CONTROL_LIMITS.receipts) => {
    server = await sandbox(service, { limits: { receipts } });
    const { rpc, close } = await server.attach().then((one) => ({ rpc: one.rpc, close: () => one.close() }));
    return remoteBox({ name: 'x', rpc, limits: { ...CONTROL_LIMITS, receipts }, close });
  };

  it('tells each step when it is reached', async () => {
    const { service, sent } = post();
    const box = await attach(service);
    const receipt = await box.send('link:a', 'm1');
    expect(receipt).toMatchObject({ id: 'm1', to: 'link:a' });
    let handed = false;
    void receipt.handed.then(() => { handed = true; return handed; });
    sent[0]?.accepted.resolve();
    await receipt.accepted;
    expect(handed).toBe(false);
    sent[0]?.handed.resolve();
    await receipt.handed;
    sent[0]?.delivered.reject(new LanpostError('expired', 'a week has passed'));
    await expect(receipt.delivered).rejects.toMatchObject({ code: 'expired', message: 'a week has passed' });
  });

  it('is not given when the message is not accepted', async () => {
    const box = await attach(post().service);
    await expect(box.send('link:nowhere', 'x')).rejects.toMatchObject({ code: 'unreachable' });
    await expect(box.send('link:a', 'x', { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  });

  it('that was given up before it was there takes up no room', async () => {
    const { service, sent } = post();
    const box = await attach(service, 3);
    for (let n = 0; n < 10; n++) {
      const giveUp = new AbortController();
      const sending = box.send('link:a', `m${n}`, { signal: giveUp.signal });
      giveUp.abort(new Error('enough'));
      await expect(sending).rejects.toThrow('enough');
      // What has begun is not taken back.
      await expect.poll(() => sent.length).toBe(n + 1);
    }
    expect((await box.send('link:a', 'last')).id).toBe('last');
  });

  it('that nobody looks at harms nobody when the box goes', async () => {
    const { service, sent } = post();
    const box = await attach(service);
    const receipts = await Promise.all([box.send('link:a', 'm1'), box.send('link:a', 'm2')]);
    sent[0]?.accepted.resolve();
    await receipts[0]?.accepted;
    await server.server.close();
    await expect(receipts[0]?.delivered).rejects.toMatchObject({ code: 'disconnected' });
    await expect(receipts[0]?.accepted).resolves.toBeUndefined();
  });

  it('gives way, the oldest first, when more are followed than the limit', async () => {
    const { service, sent } = post();
    const box = await attach(service, 2);
    const receipts = [await box.send('link:a', 'm1'), await box.send('link:a', 'm2'), await box.send('link:a', 'm3')];
    await expect(receipts[0]?.delivered).rejects.toMatchObject({ code: 'busy' });
    sent[2]?.delivered.resolve();
    await receipts[2]?.delivered;
  });
});
