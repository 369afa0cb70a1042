import { describe, expect, it } from 'vitest';
import { createRig, type Rig } from './rig.ts';

const PLUS = ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'];

/** The home knows channel binding, and offers what it is told to. */
async function bindingRig(set: Partial<Rig['home']['set']>): Promise<Rig> {
  const rig = await createRig();
  Object.assign(rig.home.set, { binds: true, mechanisms: PLUS, ...set });
  return rig;
}

describe('RFC 5802 §6: channel binding', () => {
  it.each<[string, Partial<Rig['home']['set']>, string]>([
    ['tls-exporter over TLS 1.3', { bindings: ['tls-server-end-point', 'tls-exporter'] }, 'p=tls-exporter'],
    ['tls-server-end-point, where the server knows no better', { bindings: ['tls-server-end-point'] }, 'p=tls-server-end-point'],
    ['tls-unique over TLS 1.2', { bindings: ['tls-unique', 'tls-server-end-point'], tls: { maxVersion: 'TLSv1.2' } }, 'p=tls-unique'],
    ['tls-server-end-point over TLS 1.3 from a server that names tls-unique, which is not defined there', { bindings: ['tls-unique', 'tls-server-end-point'] }, 'p=tls-server-end-point'],
    ['tls-unique from a server that does not say what it knows', { tls: { maxVersion: 'TLSv1.2' } }, 'p=tls-unique'],
  ])('is taken when it is offered: %s', async (_name, set, flag) => {
    await using rig = await bindingRig(set);
    await rig.add();
    await rig.state('online');
    expect(rig.home.saidOfBinding).toEqual([`SCRAM-SHA-256-PLUS ${flag}`]);
  });

  it('is taken over TLS that begins at once, too', async () => {
    await using rig = await bindingRig({ bindings: ['tls-exporter'] });
    await rig.add({ port: rig.home.tlsPort, transport: 'tls' });
    await rig.state('online');
    expect(rig.home.saidOfBinding).toEqual(['SCRAM-SHA-256-PLUS p=tls-exporter']);
  });

  it('is taken before a better hash without it, as it shows who sits in between', async () => {
    await using rig = await bindingRig({ bindings: ['tls-exporter'], mechanisms: ['SCRAM-SHA-512', 'SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1'] });
    await rig.add();
    await rig.state('online');
    expect(rig.home.saidOfBinding).toEqual(['SCRAM-SHA-256-PLUS p=tls-exporter']);
  });

  it('whose offer somebody took away: the server is told that it could have been, and refuses; nothing else is said', async () => {
    await using rig = await bindingRig({ mechanisms: ['SCRAM-SHA-256'] });
    await rig.add();
    await rig.publish('t', 1);
    await rig.state('refused');
    expect(rig.home.saidOfBinding).toEqual(['SCRAM-SHA-256 y']);
    expect([(await rig.status())?.reason, rig.home.sessions, rig.home.stanzas]).toEqual(['the account was refused, check its name and password: not-authorized', 0, []]);
  });

  it('that a server does not know at all is said to be possible, and it goes on without', async () => {
    await using rig = await bindingRig({ mechanisms: ['SCRAM-SHA-256'], binds: false });
    await rig.add();
    await rig.state('online');
    expect(rig.home.saidOfBinding).toEqual(['SCRAM-SHA-256 y']);
  });

  it('of kinds that are not known here is not claimed to be missing: the server did offer it', async () => {
    await using rig = await bindingRig({ bindings: ['tls-of-tomorrow'] });
    await rig.add();
    await rig.state('online');
    expect(rig.home.saidOfBinding).toEqual(['SCRAM-SHA-256 n']);
  });
});

describe('without TLS', () => {
  it.each([['PLAIN'], ['SCRAM-SHA-256']])('nothing is said, also to a server that offers %s and an owner who lets the password be shown', async (mechanism) => {
    await using rig = await createRig();
    const heard: string[] = [];
    Object.assign(rig.home.set, { starttls: false, mechanisms: [mechanism], wire: ({ name }: { name: string }) => { heard.push(name); } });
    await rig.add({ plain: true });
    await rig.publish('t', 1);
    await rig.state('refused');
    expect((await rig.status())?.reason).toMatch(/does not offer TLS/);
    expect([heard, rig.home.logins]).toEqual([[], 0]);
  });
});
