import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import type { BoxStatus } from '../../src/api.ts';
import { readJsonLines, type JsonLines } from '../support/json-lines.ts';
import type { Lan } from '../support/lan.ts';
import { ROOT } from '../support/root.ts';
import { SmallDisk } from '../support/small-disk.ts';

interface Line {
  readonly re?: number; readonly answer?: unknown; readonly error?: string; readonly ready?: true; readonly box?: string;
  readonly acked?: number; readonly recordId?: string; readonly topic?: string; readonly refused?: number; readonly code?: string;
  readonly trouble?: string; readonly message?: string; readonly got?: string; readonly again?: boolean;
}

/** What a reader lost, as the box's ledger has it. */
export interface Loss { readonly subscription?: string; readonly topic: string; readonly from: number; readonly to: number; readonly count: number; readonly reason: string }

/** More than a box of these tests ever writes; it is all memory once it is full. */
const DISK = 80;

/** A box in a process of its own, with a disk of its own, on a host of a LAN; see box.mjs. */
export class ChaosBox implements Disposable {
  readonly #lan: Lan;
  readonly #host: number;
  readonly #dir: string;
  #child: ChildProcessWithoutNullStreams | undefined;
  #said: JsonLines<Line> | undefined;
  #count = 0;
  #read = 0;
  readonly disk: SmallDisk;
  /** What its record ids begin with. */
  id = '';
  /** Numbers that were asked to be published, with their topics; record ids of those that were accepted, with their numbers. */
  readonly asked: Map<number, string> = new Map();
  readonly acked: Map<string, number> = new Map();
  /** How often its reader of everything was handed each as new. */
  readonly got: Map<string, number> = new Map();
  readonly troubles: Map<string, number> = new Map();
  readonly messages: string[] = [];
  /** How often each code refused a reading. */
  readonly refused: Map<string, number> = new Map();

  constructor(lan: Lan, host: number, dir: string) {
    this.#lan = lan;
    this.#host = host;
    this.#dir = join(dir, 'box');
    this.disk = new SmallDisk(dir, DISK);
  }

  async start(): Promise<void> {
    const child = this.#lan.exec(this.#host, process.execPath, [join(ROOT, 'test/chaos/box.mjs'), JSON.stringify({ dir: this.#dir })]);
    this.#child = child;
    const said = readJsonLines<Line>(child, `chaos box ${this.#host}`);
    this.#said = said;
    this.#read = 0;
    this.id = (await said.wait((line) => line.ready === true, { timeout: 60_000 })).box ?? '';
  }

  /** SIGKILL. What was accepted stays accepted. */
  async kill(): Promise<void> {
    const said = this.#said;
    this.#child?.kill('SIGKILL');
    await said?.ended;
    this.look();
  }

  /** Reads what the process has said so far. */
  look(): void {
    const lines = this.#said?.lines ?? [];
    for (const line of lines.slice(this.#read)) {
      if (line.acked !== undefined && line.recordId !== undefined) this.acked.set(line.recordId, line.acked);
      if (line.got !== undefined) this.got.set(line.got, (this.got.get(line.got) ?? 0) + (line.again === true ? 0 : 1));
      if (line.refused !== undefined) this.refused.set(line.code ?? '', (this.refused.get(line.code ?? '') ?? 0) + 1);
      if (line.trouble !== undefined) {
        this.troubles.set(line.trouble, (this.troubles.get(line.trouble) ?? 0) + 1);
        this.messages.push(`${line.trouble}: ${line.message ?? ''}`);
      }
    }
    this.#read = lines.length;
  }

  async #ask(what: string, more: object = {}): Promise<unknown> {
    const [child, said] = [this.#child, this.#said];
    if (!child || !said) throw new Error('it does not run');
    const re = ++this.#count;
    child.stdin.write(`${JSON.stringify({ do: what, re, ...more })}\n`);
    const { answer, error } = await said.wait((line) => line.re === re, { timeout: 120_000 });
    this.look();
    if (error !== undefined) throw new Error(error);
    return answer;
  }

  add(options: object): Promise<unknown> { return this.#ask('add', { options }); }
  create(topic: string): Promise<unknown> { return this.#ask('create', { topic }); }
  /** A minute passes, as far as what is acknowledged goes. */
  settle(): Promise<unknown> { return this.#ask('settle'); }

  /** Resolves when all are accepted; when it is killed before, what was is known. */
  async publish(topic: string, from: number, to: number, chosen = false): Promise<void> {
    for (let n = from; n < to; n++) this.asked.set(n, topic);
    await this.#ask('publish', { topic, from, to, chosen }).catch(() => undefined); // killed: what was accepted was said
    this.look();
  }

  async status(): Promise<BoxStatus> {
    return await this.#ask('status') as BoxStatus;
  }

  /** What its topics hold, each in the order of its log, with the number of a reading that came unchanged. */
  async dump(): Promise<[topic: string, recordId: string, n?: number][]> {
    return await this.#ask('dump') as [string, string, number?][];
  }

  async losses(): Promise<Loss[]> {
    return await this.#ask('losses') as Loss[];
  }

  [Symbol.dispose](): void {
    this.disk[Symbol.dispose]();
  }
}
