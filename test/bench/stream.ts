import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadCertificate, loadIdentity } from '../../src/trust/identity.ts';
import { startBox } from '../support/box.ts';
import { readJsonLines } from '../support/json-lines.ts';
import { createLan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { inMs, inTurns, median, perSecond, type Row } from './figures.ts';
import { order } from './order.ts';

const ROUNDS = 6;
const CLIENT = fileURLToPath(new URL('stream-load.js', import.meta.url));
const NAME = 'load@h2';
interface Answer { readonly perSecond: number; readonly p50: number }

/** Publishes over a stream on the link (TLS, XEP-0060, on disk when answered) against mosquitto's QoS 1 (in clear, answered from memory). */
export async function benchStream(): Promise<Row[]> {
  if (!needs('root', 'mosquitto', 'avahi-daemon')) {
    return [{ what: 'publishes over a stream, against mosquitto QoS 1', ours: 'not measured', peer: 'needs root, mosquitto, avahi-daemon' }];
  }
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-bench-'));
  const lan = await createLan(2);
  try {
    const identity = await loadIdentity(dir, { machine: 'bench' });
    const box = await startBox({ dir: join(dir, 'box'), name: 'box', lan, host: 1 });
    const api = await box.attach();
    await api.trust.allow(identity.fingerprint, 'write', '#');

    // The address is the only thing that differs from mosquitto's own defaults.
    writeFileSync(join(dir, 'mosquitto.conf'), `listener 1883 ${lan.address(1)}\nallow_anonymous true\npersistence true\npersistence_location ${dir}/\nuser root\n`);
    lan.exec(1, 'mosquitto', ['-c', join(dir, 'mosquitto.conf')]);
    // Only who is announced may call: the load generator's presence is avahi's work.
    await lan.avahi(2);
    lan.exec(2, 'avahi-publish', ['-s', NAME, '_presence._tcp', '5298', 'txtvers=1', 'status=avail']);
    for await (const { type, peer } of api.peers.watch({ signal: AbortSignal.timeout(10_000) })) if (type === 'up' && peer.name === NAME) break;

    const { link, name } = await api.status();
    const client = lan.exec(2, process.execPath, [CLIENT]);
    const said = readJsonLines<Answer>(client, 'the load generator');
    client.stdin.write(`${JSON.stringify({
      mqtt: { host: lan.address(1), port: 1883 },
      stream: { host: lan.address(1), port: link.port, from: NAME, to: name, key: identity.key, cert: await loadCertificate(dir, identity.key) },
    })}\n`);
    const rows: Row[] = [];
    for (const [inFlight, count] of [[1, 1000], [100, 20_000], [1000, 40_000]] as const) {
      const run = (kind: 'mqtt' | 'stream', share = 1): Promise<Answer> => order(client, said, { kind, inFlight, count: count * share });
      await run('stream', 0.25);
      await run('mqtt', 0.25);
      const waits: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
      const measure = async (kind: 'mqtt' | 'stream', into: number[]): Promise<number> => {
        const answer = await run(kind);
        into.push(answer.p50);
        return answer.perSecond;
      };
      const { ours, peer, ratio } = await inTurns(ROUNDS, () => measure('stream', waits.ours), () => measure('mqtt', waits.peer));
      rows.push({
        what: `publishes over a stream, ${inFlight} in flight, against mosquitto QoS 1 (answer p50 ${inMs(median(waits.ours))} and ${inMs(median(waits.peer))})`,
        ours: perSecond(median(ours)), peer: perSecond(median(peer)), ratio, ...(inFlight === 100 ? { target: '≥ 0.50', met: ratio >= 0.5 } : {}),
      });
    }
    await api.close();
    return rows;
  } finally {
    await lan.down();
    rmSync(dir, { recursive: true, force: true });
  }
}
