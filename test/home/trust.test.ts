import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { HomeOptions } from '../../src/api.ts';
import { spkiPin } from '../../src/xmpp/tls.ts';
import type { FakeHome } from './fake-home.ts';
import { createRig } from './rig.ts';
import { openWebDoor, type WebDoor } from './web-door.ts';

const OTHER_PIN = `${'A'.repeat(43)}=`;

/** Another authority of somebody's own. */
function otherAuthority(): string {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-authority-'));
  try {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=other', '-keyout', join(dir, 'key'), '-out', join(dir, 'cert')], { stdio: 'ignore' });
    return readFileSync(join(dir, 'cert'), 'utf8');
  } finally {
    rmSync(dir, { recursive: true });
  }
}

interface Way {
  /** What its owner says, without whom to believe. */
  options(name?: string): HomeOptions;
  /** What was said to the home inside TLS, by whatever way. */
  said(): number;
}

function wayTo(kind: string, home: FakeHome, door: WebDoor | undefined): Way {
  const { ca: _ca, host, port, ...account } = home.account;
  let elements = 0;
  home.set.wire = ({ name }) => { if (name !== 'starttls') elements++; };
  const said = (): number => elements + (door?.requests ?? 0);
  if (door) return { said, options: (name = 'localhost') => ({ ...account, url: kind === 'bosh' ? `https://${name}:${door.port}/http-bind` : `wss://${name}:${door.port}/ws` }) };
  // For another domain, which that host does not have.
  return { said, options: (name) => ({ ...account, ...name === undefined ? {} : { jid: 'box@elsewhere.test' }, host, port: kind === 'tls' ? home.tlsPort : port, transport: kind === 'tls' ? 'tls' : 'starttls' }) };
}

describe.each(['starttls', 'tls', 'websocket', 'bosh'])('whom a home over %s is taken for', (kind) => {
  async function rigged(use: (parts: { rig: Awaited<ReturnType<typeof createRig>>; way: Way; add: (more: Partial<HomeOptions>, name?: string) => Promise<void>; shown: string }) => Promise<void>): Promise<void> {
    await using rig = await createRig();
    await using door = kind === 'websocket' || kind === 'bosh' ? await openWebDoor(rig.home) : undefined;
    const way = wayTo(kind, rig.home, door);
    const shown = spkiPin(Buffer.from(rig.home.account.ca.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64'));
    await use({ rig, way, shown, add: async (more, name) => void await rig.homes.add({ ...way.options(name), topics: ['#'], ...more }) });
    // Before the home goes, which is what the door leads to.
    await rig.homes.close();
  }

  it('the key that is pinned: it goes up', () => rigged(async ({ rig, add, shown }) => {
    await add({ ca: rig.home.account.ca, pin: [OTHER_PIN, shown] });
    await rig.publish('t', 1);
    await rig.until(() => rig.count('t') === 1);
    expect((await rig.status())?.over).toMatch(new RegExp(`^${kind} `));
  }));

  it('another key than the pinned, though the authority is right: refused, the key is said, nothing is sent', () => rigged(async ({ rig, way, add, shown }) => {
    await add({ ca: rig.home.account.ca, pin: [OTHER_PIN] });
    await rig.publish('t', 1);
    await rig.state('refused');
    expect((await rig.status())?.reason).toContain(shown);
    expect([way.said(), rig.home.logins]).toEqual([0, 0]);
  }));

  it.each<[string, () => Partial<HomeOptions>]>([['the system knows', () => ({})], ['the owner named', () => ({ ca: otherAuthority() })]])('of no authority that %s: refused, its pin or not, nothing is sent', (_name, trust) => rigged(async ({ rig, way, add, shown }) => {
    await add({ ...trust(), pin: [shown] });
    await rig.publish('t', 1);
    await rig.state('refused');
    expect((await rig.status())?.reason).toMatch(/certificate was not accepted/);
    expect([way.said(), rig.home.logins]).toEqual([0, 0]);
    // Of the one that the owner does name.
    await add({ ca: rig.home.account.ca });
    await rig.state('online');
  }));

  it('another name than its certificate has, though key and authority are right: refused, nothing is sent', () => rigged(async ({ rig, way, add, shown }) => {
    await add({ ca: rig.home.account.ca, pin: [shown] }, '127.0.0.1');
    await rig.until(async () => (await rig.homes.list()).some(({ state }) => state === 'refused'));
    expect((await rig.status())?.reason).toMatch(/certificate was not accepted/);
    expect([way.said(), rig.home.logins]).toEqual([0, 0]);
  }));
});
