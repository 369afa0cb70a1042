import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const PROGRAM = new URL('log-writer.mjs', import.meta.url).pathname;

export interface WriterOptions {
  readonly dir: string;
  readonly run: number;
  readonly inFlight?: number;
  /** Bytes of filler in each item. */
  readonly bytes?: number;
  /** Also publishes to a topic that is trimmed all the time. */
  readonly churn?: boolean;
  /** Also reads, configures, replaces, and makes and drops subscriptions. */
  readonly mixed?: boolean;
  /** How many to append before it closes the log; default: for ever. */
  readonly count?: number;
  /** Of the database: the smaller, the sooner its files rotate and are compacted. */
  readonly memtableBytes?: number;
  /** Also reads everything after the first refusal. */
  readonly serves?: boolean;
  readonly limits?: Readonly<Record<string, number>>;
}

/** A process that appends to a log, and what it said had been acknowledged. */
export class LogWriter {
  /** `n` to the seq it was given. */
  readonly acked: Map<number, number> = new Map();
  readonly refused: string[] = [];
  /** How many had been acknowledged when the last append was refused. */
  ackedAtRefusal: number | undefined;
  readonly troubles: string[] = [];
  /** How many a reader got while the log was refusing, how many had been acknowledged, and how many of those it did not get at all. */
  served: { readonly records: number; readonly due: number; readonly missing: number } | undefined;
  /** Why the log could not be opened. */
  failed: string | undefined;
  /** What its reader was about to confirm. */
  readonly confirmed: Set<number> = new Set();
  /** How its topic was configured last. */
  configured = 0;
  /** What became of a subscription last. */
  readonly subscriptions: Map<string, 'makes' | 'made' | 'drops' | 'dropped'> = new Map();
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  #waiting: { until: () => boolean; resolve: () => void }[] = [];
  #state: 'starting' | 'opening' | 'open' | 'closing' | 'done' = 'starting';

  constructor(options: WriterOptions, wrapper: readonly string[] = [], environment: Readonly<Record<string, string>> = {}) {
    const args = [PROGRAM, JSON.stringify(options)];
    const [around, ...rest] = wrapper;
    this.#process = spawn(around ?? process.execPath, around === undefined ? args : [...rest, process.execPath, ...args], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...environment } });
    const lines = this.#process.stdout && createInterface({ input: this.#process.stdout });
    lines?.on('line', (line) => this.#line(line));
    this.#ended = Promise.all([once(this.#process, 'exit'), lines ? once(lines, 'close') : undefined]);
  }

  get state(): string {
    return this.#state;
  }

  /** Resolves as soon as the condition holds after a line was said. */
  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise<void>((resolve, reject) => {
      this.#waiting.push({ until: condition, resolve });
      void this.#ended.finally(() => reject(new Error('the writer ended early')));
    });
  }

  /** SIGKILL; resolves when it is gone and all it said was read. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  async ended(): Promise<void> {
    await this.#ended;
  }

  #line(line: string): void {
    if (line === 'opening' || line === 'closing' || line === 'done') this.#state = line;
    else if (line.startsWith('open ')) this.#state = 'open';
    else if (line.startsWith('refused ')) {
      this.refused.push(line.slice('refused '.length));
      this.ackedAtRefusal = this.acked.size;
    } else if (line.startsWith('trouble ')) this.troubles.push(line.slice('trouble '.length));
    else if (line.startsWith('served ')) {
      const [, records = 0, due = 0, missing = 0] = line.split(' ').map(Number);
      this.served = { records, due, missing };
    } else if (line.startsWith('failed ')) this.failed = line.slice('failed '.length);
    else hear(this, line);
    this.#waiting = this.#waiting.filter(({ until, resolve }) => {
      if (!until()) return true;
      resolve();
      return false;
    });
  }
}

/** What a writer says it did. */
export interface Said {
  readonly acked: Map<number, number>;
  readonly refused: string[];
  readonly confirmed: Set<number>;
  configured: number;
  readonly subscriptions: Map<string, 'makes' | 'made' | 'drops' | 'dropped'>;
}

export function hear(said: Said, line: string): void {
  const [what = '', ...words] = line.split(' ');
  if (what === 'refused') said.refused.push(words[0] ?? '');
  else if (what === 'confirmed') for (const seq of words) said.confirmed.add(Number(seq));
  else if (what === 'configured') said.configured = Number(words[0]);
  else if (what === 'makes' || what === 'made' || what === 'drops' || what === 'dropped') said.subscriptions.set(words[0] ?? '', what);
  else if (words.length === 2) said.acked.set(Number(words[0]), Number(words[1]));
}
