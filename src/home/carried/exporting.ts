// What waits for a home, written to a file for a box that may publish it.
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import type { OutboxExport } from '../../api.ts';
import { LanpostError } from '../../errors.ts';
import type { Log } from '../../log/log.ts';
import type { LogRecord } from '../../log/record.ts';
import type { RecordAges } from '../../log/stamp-age.ts';
import { homeOf } from '../../pubsub/draft.ts';
import type { Identity } from '../../trust/identity.ts';
import type { Sealer } from '../../trust/seal.ts';
import { FRAME_BYTES, SealedWriter } from '../../trust/sealed-file.ts';
import type { Account, CursorNumbers } from '../account.ts';
import { cursorName, packerOf, readerOf } from '../cursor-name.ts';
import { Packs } from '../packs.ts';
import { former, pastOf } from '../succession.ts';
import { nodeOf, type Rule } from '../up-rule.ts';
import { encodeRecord, framed } from './carried-record.ts';
import type { Carrier, Export } from './carriers.ts';
import { Runs } from './runs.ts';

/** Of one file: records, and runs of them in the log. What is beyond waits for the next. */
export const RECORDS = 100_000;
const RUNS = 20_000;
const PAGE = 256;
/** Of several records in one frame. */
const FRAME: number = 64 * 1024;

export interface ExportingParts {
  readonly log: Log;
  readonly account: Account;
  readonly cursors: CursorNumbers;
  readonly identity: Pick<Identity, 'spki' | 'boxId'>;
  readonly sealer: Sealer;
  readonly now: number;
  readonly ages: Pick<RecordAges, 'of'>;
  /** Resolves when it is on disk which records the file has. Only then is it signed: until then nobody can read it, whatever becomes of this box. */
  readonly keep: (kept: Export) => Promise<void>;
}

/** What the file says of itself. */
export interface About {
  readonly kind: 'outbox 1';
  readonly id: string;
  readonly jid: string;
  readonly service: string;
  readonly created: number;
  readonly expires: number;
}

export async function writeExport(path: string, carrier: Carrier, expires: number, parts: ExportingParts): Promise<OutboxExport> {
  const { account, identity, sealer, now, keep } = parts;
  const about: About = { kind: 'outbox 1', id: randomBytes(16).toString('hex'), jid: account.jid, service: account.service, created: now, expires };
  const writer = new SealedWriter({ sealer, author: identity.spki, recipient: carrier.spki, about });
  const runs = new Runs();
  let file: FileHandle | undefined;
  let [records, bytes] = [0, 0];
  try {
    // Nothing that is there is overwritten, and nobody else reads what is not encrypted: names of topics are, too.
    file = await open(path, 'wx', 0o600);
    const write = async (piece: Buffer): Promise<void> => {
      bytes += piece.length;
      await file?.writeFile(piece);
    };
    await write(writer.begin());
    let frame: Uint8Array[] = [];
    let size = 0;
    let more = false;
    for await (const { record, node, follows, until } of pending(parts)) {
      const { topic } = record;
      if (records >= RECORDS || (runs.count >= RUNS && follows === undefined)) {
        more = true;
        break;
      }
      const one = encodeRecord(node, record, { previous: parts.log.predecessor(record), topic: topic === node ? undefined : topic }, until);
      if (one.length + 4 > FRAME_BYTES) throw new LanpostError('too-large', `Record ${record.recordId} is too large for a file.`);
      if (size + one.length > FRAME && frame.length > 0) {
        await write(writer.frame(framed(frame), false));
        [frame, size] = [[], 0];
      }
      frame.push(one);
      size += one.length;
      records += 1;
      runs.push(record.seq, follows);
    }
    if (records === 0) throw new LanpostError('not-found', `Nothing waits for ${account.jid} that could be carried there in a file.`);
    await write(writer.frame(framed(frame), true));
    const { signature, sha256 } = writer.end();
    await keep({ id: about.id, fingerprint: carrier.fingerprint, jid: account.jid, service: account.service, sha256, created: now, expires, runs: runs.flat });
    await write(signature);
    await file.sync();
    await file.close();
    return { id: about.id, records, bytes, more, expires };
  } catch (error) {
    await file?.close().catch(() => undefined); // the first failure is told
    if (file) await unlink(path).catch(() => undefined);
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw new LanpostError('conflict', `${path} is there already.`, { cause: error });
    throw error;
  }
}

/** Whether a topic can be carried so: in order, one record an item. */
export function isCarriable(log: Pick<Log, 'topic'>, rule: Rule | undefined, topic: string): boolean {
  return rule !== undefined && rule.pack === undefined && !topic.startsWith('$') && (log.topic(topic)?.settings.lane ?? 'history') === 'history';
}

interface Pending {
  readonly record: LogRecord;
  readonly node: string;
  /** The one before it in the file, when it is also the one before it in the log. */
  readonly follows: number | undefined;
  /** Where its rule says for how long it may wait, and the time is known. */
  readonly until: number | undefined;
}

/** In the log's order, of all rules together. What the home has, or may have, is left out where that is known. */
async function* pending({ log, account, cursors, identity, ages }: ExportingParts): AsyncGenerator<Pending> {
  const { rules } = account;
  const reader = readerOf(account);
  const packs = new Packs(log.registry, packerOf(account));
  const infos = new Map([...log.cursors()].map((info) => [info.name, info]));
  const readers = rules.map((rule) => ({ rule, info: infos.get(cursorName(reader, rule.filter, cursors[rule.filter])) }));
  const past = pastOf([readers.flatMap(({ rule, info }) => (info ? [former(rule.filter, info.progress(), [])] : []))]);
  const from = Math.min(...readers.map(({ info }) => Math.min(info?.position ?? 0, ...(info?.progress().held.map(({ position }) => position) ?? []))));
  const head = log.head;
  // Seen by no one else, and it keeps nothing: what waits is kept by the home's own reader.
  const cursor = await log.cursor({ name: `carried ${randomBytes(8).toString('hex')}`, filter: '#', from: { seq: from + 1 }, durable: false });
  let last: number | undefined;
  try {
    for (;;) {
      const page = await cursor.next(PAGE);
      if (page.length === 0) return;
      for (const { record } of page) {
        cursor.done(record.seq);
        if (record.seq > head) return;
        const { topic } = record;
        const rule = rules.find(({ matches }) => matches(topic));
        if (record.kind !== 'publish' || record.id !== undefined || homeOf(record) !== undefined || !rule || !isCarriable(log, rule, topic) || past(record) === 'done') continue;
        // The home may have it in a pack, of a rule that has changed since.
        if (packs.covering(topic, record.seq)) continue;
        // Time that cannot be trusted makes nothing old, here or there.
        const [age, now] = [ages.of(record), log.trustedNow()];
        // What has expired is not the carrier's business either.
        if (age !== undefined && age > rule.expire) continue;
        const until = rule.expire === Infinity || age === undefined || now === undefined ? undefined : Math.round(now + rule.expire - age);
        // What lies between may be wanted by another rule one day.
        yield { record, node: nodeOf(rule, topic, identity.boxId), follows: last === record.seq - 1 ? last : undefined, until };
        last = record.seq;
      }
    }
  } finally {
    await cursor.close();
  }
}
