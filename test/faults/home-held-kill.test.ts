/* oxlint-disable unicorn/no-await-in-loop -- one kill after the other */
// A topic that the home holds back, and SIGKILL: nothing is lost, nothing is sent twice, and no other waits.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { attr } from '../../src/xmpp/element.ts';
import { startFakeHome } from '../home/fake-home.ts';
import { Bell } from '../support/bell.ts';
import { seeded } from '../support/seeded.ts';

const PROGRAM = new URL('../support/home-box.mjs', import.meta.url).pathname;
const ROUNDS = 12;

it('keeps a topic held back over kills, exactly once', async () => {
  const random = seeded(20261125);
  const bell = new Bell();
  const home = await startFakeHome(bell);
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-held-'));
  let forbidden = true;
  let last = 0;
  home.set.answer = (_iq, what, node) => (what === 'publish' && node === 'bad' && forbidden ? 'forbidden' : undefined);
  const count = (topic: string): number => home.nodes.get(topic)?.size ?? 0;
  const run = async (enough: () => boolean, atMost?: number): Promise<void> => {
    const box = spawn(process.execPath, [PROGRAM, JSON.stringify({ dir, from: last + 1, ...(atMost === undefined ? {} : { to: last + 1 + atMost }), account: home.account })], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: box.stdout });
    lines.on('line', (line) => {
      if (line !== 'open') last = Number(line);
      bell.ring();
    });
    const ended = Promise.all([once(box, 'exit'), once(lines, 'close')]);
    await bell.until(enough);
    box.kill('SIGKILL');
    await ended;
  };
  try {
    for (let round = 1; round <= ROUNDS; round++) {
      // Held in the first rounds, then let go and held again in turn.
      forbidden = round <= 4 || round % 2 === 0;
      const from = { good: count('good'), bad: count('bad'), last };
      const more = 20 + Math.floor(random() * 60);
      await run(() => last >= from.last + more && count('good') >= from.good + more && (forbidden || count('bad') > from.bad));
      expect(count('bad') > from.bad).toBe(!forbidden);
    }
    forbidden = false;
    await run(() => count('bad') >= last && count('good') >= last && last > 0, 0);
    const sent = home.stanzas.map((stanza) => stanza.getChild('pubsub')?.getChild('publish')).filter((publish) => publish !== undefined);
    for (const topic of ['bad', 'good']) {
      const kept = [...home.nodes.get(topic)?.values() ?? []].map((record) => Number(record.getChild('json')?.getText()));
      // What was not acknowledged when it was killed may be there as well, and its number is used again.
      expect(new Set(kept).size).toBeGreaterThanOrEqual(last);
      expect(Array.from({ length: last }, (_, i) => i + 1).filter((n) => !kept.includes(n))).toEqual([]);
      const seqs = [...home.nodes.get(topic)?.values() ?? []].map((record) => Number(attr(record, 'seq')));
      expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    }
    const ids = sent.filter((publish) => attr(publish, 'node') === 'good').map((publish) => attr(publish.getChild('item') ?? publish, 'id'));
    expect(ids.length).toBe(new Set(ids).size);
  } finally {
    await home.close();
    rmSync(dir, { recursive: true });
  }
});
