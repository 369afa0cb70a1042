import { describe, expect, it } from 'vitest';
import { ScramClient } from '../../src/xmpp/sasl.ts';

const client = (): ScramClient => new ScramClient('SCRAM-SHA-256', { username: 'u', password: 'p', nonce: 'own' });

describe('a home that means harm', () => {
  it.each([
    ['two thousand million iterations', 'r=own1,s=QQ==,i=2147483648'], ['a million and one', 'r=own1,s=QQ==,i=1000001'],
    ['few enough to try passwords', 'r=own1,s=QQ==,i=1'], ['none', 'r=own1,s=QQ==,i=0'], ['less than none', 'r=own1,s=QQ==,i=-4096'],
    ['iterations in another notation', 'r=own1,s=QQ==,i=4e6'], ['our nonce, not extended', 'r=own,s=QQ==,i=4096'], ['a nonce of its own', 'r=xown1,s=QQ==,i=4096'],
    ['no salt', 'r=own1,s=,i=4096'], ['another order', 's=QQ==,r=own1,i=4096'], ['an extension we must understand', 'm=x,r=own1,s=QQ==,i=4096'],
    ['a nonce with a comma', 'r=own,1,s=QQ==,i=4096'], ['nothing', ''], ['a megabyte of nonce and no end', `r=own${'x'.repeat(1 << 20)}`],
    ['a megabyte of commas', ','.repeat(1 << 20)],
  ])('is refused at once: %s', async (_, challenge) => {
    const start = process.cpuUsage().user;
    await expect(client().respond(Buffer.from(challenge))).rejects.toMatchObject({ name: 'SaslError' });
    expect(process.cpuUsage().user - start).toBeLessThan(500_000);
  });

  it.each(['', 'v=', 'v=AAAA', `v=${Buffer.alloc(32).toString('base64')}`, 'e=other-error', `v=${'A'.repeat(1 << 20)}`])('proves nothing with %.20s', async (final) => {
    const scram = client();
    await scram.respond(Buffer.from('r=own1,s=QQ==,i=4096'));
    expect(() => scram.verify(Buffer.from(final))).toThrow('did not prove');
  });
});
