import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import type { HomeStatus } from '../../src/api.ts';
import { readJsonLines, type JsonLines } from '../support/json-lines.ts';
import type { Lan } from '../support/lan.ts';
import { ROOT } from '../support/root.ts';

interface Line { readonly re?: number; readonly answer?: unknown; readonly error?: string; readonly acked?: number; readonly recordId?: string; readonly refused?: number; readonly trouble?: string; readonly message?: string; readonly ready?: true }

/** A box in a process of its own, on a host of a LAN; see box.mjs. */
export class ChaosBox {
  readonly #lan: Lan;
  readonly #host: number;
  readonly #dir: string;
  readonly #id: string;
  #child: ChildProcessWithoutNullStreams | undefined;
  #said: JsonLines<Line> | undefined;
  #count = 0;
  #read = 0;
  /** Numbers that were asked to be published; record ids of those that were accepted, with their numbers. */
  readonly asked: Set<number> = new Set();
  readonly acked: Map<string, number> = new Map();
  readonly troubles: Map<string, number> = new Map();
  readonly messages: string[] = [];
  refused = 0;

  constructor(lan: Lan, host: number, dir: string, id: string) {
    this.#lan = lan;
    this.#host = host;
    this.#dir = dir;
    this.#id = id;
  }

  async start(): Promise<void> {
    const child = this.#lan.exec(this.#host, process.execPath, [join(ROOT, 'test/chaos/box.mjs'), JSON.stringify({ dir: this.#dir }), this.#id]);
    this.#child = child;
    const said = readJsonLines<Line>(child, `chaos box ${this.#id}`);
    this.#said = said;
    this.#read = 0;
    await said.wait((line) => line.ready === true, { timeout: 60_000 });
  }

  /** SIGKILL. What was accepted stays accepted. */
  async kill(): Promise<void> {
    const said = this.#said;
    this.#child?.kill('SIGKILL');
    await said?.ended;
    this.#note();
  }

  /** Reads what the process has said so far. */
  #note(): void {
    const lines = this.#said?.lines ?? [];
    for (const line of lines.slice(this.#read)) {
      if (line.acked !== undefined && line.recordId !== undefined) this.acked.set(line.recordId, line.acked);
      if (line.refused !== undefined) this.refused++;
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
    this.#note();
    if (error !== undefined) throw new Error(error);
    return answer;
  }

  add(options: object): Promise<unknown> { return this.#ask('add', { options }); }
  configure(topic: string): Promise<unknown> { return this.#ask('configure', { topic }); }
  /** A minute passes, as far as what is acknowledged goes. */
  settle(): Promise<unknown> { return this.#ask('settle'); }
  full(on: boolean): Promise<unknown> { return this.#ask('full', { on }); }

  /** Resolves when all are accepted; when it is killed before, what was is known. */
  async publish(topic: string, from: number, to: number, chosen = false): Promise<void> {
    for (let n = from; n < to; n++) this.asked.add(n);
    await this.#ask('publish', { topic, from, to, chosen }).catch(() => undefined); // killed: what was accepted was said
    this.#note();
  }

  async status(): Promise<{ readonly homes: readonly HomeStatus[]; readonly state: string }> {
    return await this.#ask('status') as { homes: HomeStatus[]; state: string };
  }

  async dump(filter: string): Promise<[topic: string, recordId: string][]> {
    return await this.#ask('dump', { filter }) as [string, string][];
  }

  async stop(): Promise<void> {
    await this.#ask('stop').catch(() => undefined); // it may be gone already
    await this.kill();
  }
}
