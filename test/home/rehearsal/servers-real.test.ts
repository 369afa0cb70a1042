import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as lasts } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { xml } from '../../../src/xmpp/element.ts';
import { startBox } from '../../support/box.ts';
import { createHomeServer } from '../../support/homes.ts';
import { needs } from '../../support/needs.ts';
import { openReader } from '../reader.ts';

/** ms, beyond the outage. */
const FROZEN = 24_000;

describe.each(['prosody', 'ejabberd'] as const)('`lanpost rehearse` with a home', (kind) => {
  it.skipIf(!needs(kind))(`on ${kind}: a real outage, passed, and nothing stays behind here or there`, async () => {
    await using server = await createHomeServer(kind);
    await server.start();
    const dir = mkdtempSync(join(tmpdir(), 'lanpost-rehearsal-'));
    try {
      const { jid, password } = server.account('edge1');
      writeFileSync(join(dir, 'password'), `${password}\n`);
      await using box = await startBox({ dir: join(dir, 'box'), args: ['--interface', 'lo'] });
      const lines = await box.cli('home', 'add', jid, '--password-file', join(dir, 'password'), '--host', server.host, '--port', String(server.port), '--ca', server.ca, '--topics', '#');
      expect(lines.length).toBe(1);
      await box.run('home', 'watch').line((line) => (line['home'] as { state?: string }).state === 'online');
      const rehearsing = box.run('rehearse', '--outage', '20s', '--rate', '50');
      await rehearsing.line((line) => line['phase'] === 'cut');
      // And the server takes nothing for a while longer, as one that is frozen: it is connected to, and does not answer.
      const pid = Number(readFileSync(join(server.dir, 'pid'), 'utf8'));
      process.kill(pid, 'SIGSTOP');
      try {
        await lasts(FROZEN);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      expect(await rehearsing.ended).toBe(0);
      const report = rehearsing.lines.at(-1)?.['report'] as Record<string, number>;
      expect(report).toMatchObject({ passed: true, lost: 0, doubled: 0, why: [] });
      expect([report['stored'], report['drained']]).toEqual([report['sent'], report['sent']]);
      expect(report['sent']).toBeGreaterThanOrEqual(1_000);

      const killed = box.run('rehearse', '--outage', '1h', '--rate', '1');
      await killed.line((line) => line['phase'] === 'cut');
      await box.kill();
      await using again = await startBox({ dir: join(dir, 'box'), args: ['--interface', 'lo'] });
      await again.run('home', 'watch').line((line) => (line['home'] as { state?: string }).state === 'online');
      await using reader = await openReader(server);
      const nodes = async (): Promise<string[]> => {
        const answer = await reader.request(xml('iq', { type: 'get', to: server.service }, xml('query', { xmlns: 'http://jabber.org/protocol/disco#items' })));
        return (answer.getChild('query')?.getChildren('item') ?? []).map((item) => String(item.attrs['node']));
      };
      await expect.poll(nodes, { timeout: 20_000, interval: 500 }).toEqual([]);
      expect((await again.cli('subscriptions', 'list')).map((line) => line['name'])).toEqual([`home:${jid} #`]);
      expect(await again.cli('topic', 'list')).toEqual([]);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
