import type { Trouble } from '../api.ts';
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import type { Cursor } from '../log/cursor.ts';
import type { Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';
import type { Address } from './address.ts';
import type { RecordAges } from '../log/stamp-age.ts';
import { fromRecord, type Letter, mailTopic } from './letter.ts';
import { Endings } from './endings.ts';
import type { End, Receipts } from './receipts.ts';
import type { Road } from './road.ts';

/**
 * To one address at once: letters that it has not confirmed, of those the ones that not even the road has yet, and the bytes
 * of their bodies; one larger letter still goes, alone.
 */
const WINDOW = { letters: 1000, unpassed: 256, bytes: 512 * 1024 };
/** Between two tries of a road that fails, or takes letters and loses them time after time, doubling. */
const RETRY = { first: 500, most: 60_000 };
/** Letters that came back, may be taken later, and are held for that. */
const RETURNED = 100;

/** As much of a letter that no road takes as tells when it expires: it need not be read again for that. */
interface Waiting extends Pick<LogRecord, 'seq' | 'stamp'> {
  readonly lifetime: number;
  readonly key: string | undefined;
}

export interface OutboxParts {
  readonly address: Address;
  readonly cursor: Cursor;
  readonly roads: readonly Road[];
  readonly receipts: Receipts;
  readonly clock: Clock;
  readonly ages: RecordAges;
  readonly trouble: (trouble: Trouble) => void;
  readonly noteLoss: Log['noteLoss'];
  readonly predecessor: Log['predecessor'];
}

/** One pump for one address: takes its letters in order and gives them to the nearest road. */
export class Outbox {
  readonly #parts: OutboxParts;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #wake: (() => void) | undefined;
  /** Since the pump last looked which road there is. */
  #woken = false;
  #failures = 0;
  /** Bytes of letters that are on their way. */
  #bytes = 0;
  /** Those that the road does not have yet. */
  #unpassed = 0;
  /** What nothing may follow is on its way. */
  #alone = false;
  #lost = false;
  /** What the last letters were given to. */
  #road: Road | undefined;
  /** Grows when all that is unconfirmed goes again: what is heard of an earlier time is no news of failure. */
  #round = 0;
  /** Rounds lost one after the other with nothing confirmed, the last of them, and until when the road has to rest then: whatever opens. */
  #breaks = 0;
  #brokeIn: number | undefined;
  #restUntil = 0;
  /** Nothing was heard of the recipient, or it had no room: letters go one at a time. */
  #probing = false;
  /** Record ids of those on their way, by their positions. */
  readonly #away = new Map<number, string>();
  readonly #returned = new Set<Timer>();
  /** Read while no road was open, or one letter went at a time; the oldest first. */
  readonly #waiting = new Map<number, Waiting>();
  readonly #endings: Endings;
  #newest = 0;
  #awaited: string | undefined;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
    this.#endings = new Endings({ ...parts, report: this.#report });
    this.#running = this.#run();
  }

  /** The key that the next letter is for, when nothing takes it there. */
  get awaited(): string | undefined {
    return this.#awaited;
  }

  /** A road may have opened. */
  wake(): void {
    this.#failures = 0;
    this.#woken = true;
    this.#wake?.();
  }

  /** Nothing more is handed on; what is heard of that which was counts until it is closed. */
  async stop(): Promise<void> {
    this.#ended.abort();
    for (const timer of this.#returned) timer.stop();
    this.#wake?.();
    await this.#running;
  }

  async close(): Promise<void> {
    await this.stop();
    await this.#endings.close();
    await this.#parts.cursor.close();
  }

  async #run(): Promise<void> {
    const { cursor, clock } = this.#parts;
    while (!this.#ended.signal.aborted) {
      try {
        if (this.#lost) {
          this.#lost = false;
          this.#round += 1;
          this.#bytes = 0;
          this.#unpassed = 0;
          this.#alone = false;
          this.#away.clear();
          this.#waiting.clear();
          cursor.rewind();
        }
        await this.#pass();
      } catch (error) {
        if (this.#ended.signal.aborted) return;
        this.#tell(error);
        this.#lost = true;
        this.#woken = false; // what failed is not tried again at once
        await this.#pause(Math.min(RETRY.most, RETRY.first * 2 ** this.#failures++), clock);
      }
    }
  }

  /** Hands on what there is, or waits for something to change. */
  async #pass(): Promise<void> {
    const { address, cursor, roads, clock } = this.#parts;
    this.#woken = false;
    // What follows could be noted as little.
    if (!await this.#endings.written()) return this.#pause(Math.min(RETRY.most, RETRY.first * 2 ** this.#failures++), clock);
    const road = roads.find((candidate) => candidate.reaches(address));
    if (!road) {
      const wait = await this.#expire();
      const [first] = this.#waiting.values();
      this.#awaited = first?.key;
      return this.#pause(wait, clock);
    }
    if (this.#turned(road)) return;
    const rest = this.#restUntil - clock.mono();
    if (rest > 0) return this.#pause(rest, clock);
    if (this.#isFull()) {
      const wait = this.#alone || this.#probing ? await this.#expire() : RETRY.most;
      // What was on its way may have been heard of while it was looked.
      if (this.#isFull() && !this.#lost) await this.#pause(wait, clock);
      return;
    }
    const [waiting] = this.#waiting.keys();
    if (waiting !== undefined) {
      this.#waiting.delete(waiting);
      cursor.back(waiting);
    }
    const page = await cursor.next(1);
    // Those before it were lost while it was read from disk: it must not overtake them.
    if (this.#lost) return;
    const [next] = page;
    if (!next) return this.#news();
    if (next.record.kind !== 'publish') return cursor.done(next.record.seq);
    if (this.#endings.has(next.record.seq)) return;
    const { letter, lifetime } = fromRecord(next.record, this.#parts.predecessor(next.record));
    if (this.#left({ ...next.record, lifetime }) <= 0) return this.#end(next.record.seq, 'expired', 'it expired before it could be delivered');
    await this.#hand(road, { ...next.record, lifetime }, letter);
  }

  /** Letters that a road has and nobody has confirmed. */
  get #onTheWay(): number {
    return this.#parts.cursor.unconfirmed - this.#waiting.size;
  }

  #isFull(): boolean {
    const unconfirmed = this.#onTheWay;
    if (this.#alone) return true;
    return this.#probing ? unconfirmed >= 1 : unconfirmed >= WINDOW.letters || this.#unpassed >= WINDOW.unpassed || this.#bytes >= WINDOW.bytes;
  }

  /**
   * Whether another road is taken than before, and something is unconfirmed on that: it goes first, all of it and in
   * order, over the new one. The recipient takes what is above its highest number, so nothing may overtake.
   */
  #turned(road: Road): boolean {
    const before = this.#road;
    if (road === before) return false;
    this.#road = road;
    this.#probing = false;
    this.#breaks = this.#restUntil = 0;
    this.#lost = before !== undefined && this.#onTheWay > 0;
    return this.#lost;
  }

  /** Until there is another letter, or what was handed on is lost with its road. */
  async #news(): Promise<void> {
    if (this.#woken || this.#lost || this.#ended.signal.aborted) return;
    const woken = new AbortController();
    this.#wake = () => { this.#wake = undefined; woken.abort(); };
    await this.#parts.cursor.wait(woken.signal);
  }

  async #hand(road: Road, record: Omit<Waiting, 'key'>, letter: Letter): Promise<void> {
    const { address, receipts } = this.#parts;
    const { seq } = record;
    let handed;
    try {
      const after = this.#after();
      handed = await road.deliver(address, after === undefined ? letter : { ...letter, after });
    } catch (error) {
      this.#awaited = letter.key;
      if (!isFinal(error)) throw error;
      return this.#end(seq, 'refused', error.message);
    }
    this.#failures = 0;
    this.#awaited = undefined;
    const { delivered, taken, alone = false, stays, handed: passed } = handed;
    if (!delivered && !taken) return this.#over(seq);
    const round = this.#round;
    const isNews = (): boolean => round === this.#round;
    const broke = (error: unknown): Promise<void> | undefined => (isNews() ? this.#broke(seq, error) : undefined);
    const until = this.#parts.clock.mono() + this.#left(record);
    stays?.catch(() => undefined); // heard of after `taken`
    const over = async (): Promise<void> => {
      await this.#over(seq);
      await stays?.catch((error: unknown) => this.#cameBack(road, seq, letter, until, error));
    };
    this.#alone = alone;
    if (taken) taken.finally(() => { if (isNews()) this.#alone = false; }).then(over, broke).catch(this.#report);
    let open = true;
    // That it was not handed on is heard of `delivered`, too.
    const wasHanded = (): void => { if (open && isNews()) receipts.handed(seq); };
    if (passed) {
      // Of what is confirmed later, the bytes are on their way until then.
      const bytes = delivered ? 0 : letter.body.length;
      this.#unpassed += 1;
      this.#bytes += bytes;
      passed.then(wasHanded, () => undefined).finally(() => {
        if (!isNews()) return;
        this.#unpassed -= 1;
        this.#bytes -= bytes;
        this.#wake?.();
      });
    } else wasHanded();
    if (!delivered) return;
    this.#bytes += letter.body.length;
    this.#away.set(seq, letter.recordId);
    this.#newest = seq;
    delivered.finally(() => {
      open = false;
      if (isNews()) this.#bytes -= letter.body.length;
    }).then(() => this.#delivered(seq), broke).catch(this.#report);
  }

  /** The newest that is on its way. */
  #after(): string | undefined {
    return this.#away.get(this.#newest) ?? [...this.#away.values()].at(-1);
  }

  /** Nothing more will be heard of it. */
  #over(seq: number): Promise<void> {
    return this.#end(seq, 'handed', 'this recipient confirms nothing');
  }

  /** Its road had it. It goes again in a while, where that may help and as long as the box runs: the log waits for it no more. */
  async #cameBack(road: Road, seq: number, letter: Letter, until: number, error: unknown): Promise<void> {
    const { address, clock, trouble } = this.#parts;
    if (this.#ended.signal.aborted) return;
    await this.#end(seq, 'refused', messageOf(error));
    const isOver = isFinal(error) || this.#returned.size >= RETURNED || clock.mono() + RETRY.most > until;
    trouble({ kind: 'mail.returned', message: `${mailTopic(address)}: ${letter.id} came back${isOver ? '' : ', and goes again'}: ${messageOf(error)}` });
    if (isOver || this.#ended.signal.aborted) return;
    const timer = clock.after(RETRY.most, () => {
      this.#returned.delete(timer);
      this.#again(road, seq, letter).catch((again: unknown) => this.#cameBack(road, seq, letter, until, again)).catch(this.#report);
    });
    this.#returned.add(timer);
  }

  async #again(road: Road, seq: number, letter: Letter): Promise<void> {
    const { address } = this.#parts;
    if (!road.reaches(address)) throw new LanpostError('unreachable', 'the road to it is closed');
    const { taken, delivered, stays } = await road.deliver(address, letter);
    stays?.catch(() => undefined); // as above
    await (taken ?? delivered);
    await this.#over(seq);
    await stays;
  }

  #delivered(seq: number): void {
    this.#probing = false;
    this.#breaks = 0;
    this.#away.delete(seq);
    this.#parts.cursor.done(seq);
    this.#parts.receipts.delivered(seq);
    this.#wake?.();
  }

  async #broke(seq: number, error: unknown): Promise<void> {
    if (isFinal(error)) return this.#end(seq, 'refused', error.message);
    const code = error instanceof LanpostError ? error.code : undefined;
    // Whoever has no room would only have to turn away all that follows.
    this.#probing = code === 'timeout' || code === 'busy';
    if (code === 'busy') {
      this.#breaks = Math.max(1, this.#breaks);
      this.#tell(error);
    }
    this.#rest();
    this.#lost = true; // everything unconfirmed goes again, in order, over whatever road is open then
    this.#wake?.();
  }

  #tell(error: unknown): void {
    this.#parts.trouble({ kind: 'mail.delivery', message: `${mailTopic(this.#parts.address)}: ${messageOf(error)}` });
  }

  /** A recipient whose disk is full ends every stream at its first letter, and the next one opens as readily. Once may be chance. */
  #rest(): void {
    if (this.#brokeIn === this.#round) return;
    this.#brokeIn = this.#round;
    if (this.#breaks > 0) this.#restUntil = this.#parts.clock.mono() + Math.min(RETRY.most, RETRY.first * 2 ** (this.#breaks - 1));
    this.#breaks += 1;
  }

  /** While no road takes more: what has expired meanwhile ends here, whatever waits for longer before it. Returns when to look again. */
  async #expire(): Promise<number> {
    const { cursor } = this.#parts;
    while (this.#waiting.size < WINDOW.letters && !this.#ended.signal.aborted) {
      const [next] = await cursor.next(1);
      if (!next) break;
      const { record } = next;
      if (record.kind !== 'publish') cursor.done(record.seq);
      else if (!this.#endings.has(record.seq)) {
        const { letter: { key }, lifetime } = fromRecord(record);
        this.#waiting.set(record.seq, { seq: record.seq, stamp: record.stamp, lifetime, key });
      }
    }
    let wait = RETRY.most;
    for (const letter of this.#waiting.values()) {
      const left = this.#left(letter);
      if (left <= 0) {
        this.#waiting.delete(letter.seq);
        await this.#end(letter.seq, 'expired', 'no road to it was free before it expired');
      } else wait = Math.min(wait, left);
    }
    return wait;
  }

  /** Milliseconds until it is given up. */
  #left(letter: Omit<Waiting, 'key'>): number {
    return letter.lifetime - (this.#parts.ages.of(letter) ?? 0);
  }

  /** The pump goes on once that is on disk. */
  async #end(seq: number, end: End, why: string): Promise<void> {
    this.#awaited = undefined;
    this.#breaks = 0;
    this.#away.delete(seq);
    await this.#endings.add(seq, end, why);
    this.#wake?.();
  }

  #pause(ms: number, clock: Clock): Promise<void> {
    return new Promise((resolve) => {
      if (this.#ended.signal.aborted || this.#woken || this.#lost && this.#failures === 0) return resolve();
      const timer = clock.after(ms, () => this.#wake?.());
      this.#wake = () => { this.#wake = undefined; timer.stop(); resolve(); };
    });
  }

  readonly #report = (error: unknown): void => {
    this.#parts.trouble({ kind: 'mail.receipt', message: messageOf(error) });
  };
}

/** What no later try will change. An impostor leaves, or the one it plays comes back. */
function isFinal(error: unknown): error is LanpostError {
  return error instanceof LanpostError && ['forbidden', 'too-large', 'invalid-value'].includes(error.code);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
