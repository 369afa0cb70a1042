import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { escapeHarmful, printable } from './printable.ts';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Nobody reads the output any more. */
export class BrokenPipe extends Error {
  override readonly name = 'BrokenPipe';
}

/**
 * Standard output: JSON lines when asked for; for people, tables and colour on a terminal, and
 * fields between tabs into a pipe.
 */
export class Output {
  readonly json: boolean;
  readonly terminal: boolean;
  readonly #stream: Writable;
  readonly #colour: boolean;
  /** What takes away the line that the next one stands for. */
  #over = '';
  #last: Promise<void> = Promise.resolve();
  /** Of the lines that the system has not taken. */
  readonly #waiting = new Set<(why: unknown) => void>();
  #abandoned: { readonly why: unknown } | undefined;

  constructor(o: { stream: Writable & { readonly isTTY?: boolean }; json: boolean; colour: boolean }) {
    this.#stream = o.stream;
    this.json = o.json;
    this.terminal = !o.json && o.stream.isTTY === true;
    this.#colour = this.terminal && o.colour;
  }

  /** Whether what was written waits for a slow reader. */
  get full(): boolean { return this.#stream.writableNeedDrain; }

  /** Resolves when the system has taken the line, and all before it. */
  line(text: string): Promise<void> {
    return this.#write(`${this.#over}${text}\n`);
  }

  /** On a terminal: a line in whose place the next one comes. */
  transient(text: string): Promise<void> {
    return this.#write(`${this.#over}${text}`, '\r\u{1b}[K');
  }

  /** On a terminal: lines in whose place the next come, each cut to the terminal's width. */
  block(lines: readonly string[]): Promise<void> {
    const width = 'columns' in this.#stream && typeof this.#stream.columns === 'number' ? this.#stream.columns : 80;
    return this.#write(`${this.#over}${lines.map((text) => `${printable(text).slice(0, Math.max(1, width - 1))}\n`).join('')}`, `\u{1b}[${lines.length}A\r\u{1b}[J`);
  }

  #write(what: string | Uint8Array, over = ''): Promise<void> {
    this.#over = over;
    this.#last = new Promise((resolve, reject) => {
      if (this.#abandoned) return reject(this.#abandoned.why);
      this.#waiting.add(reject);
      this.#stream.write(what, (error) => {
        this.#waiting.delete(reject);
        if (error) reject(new BrokenPipe('nobody reads the output', { cause: error }));
        else resolve();
      });
    });
    // Whoever does not wait for this line hears of it from the next, or from `settled`.
    this.#last.catch(() => undefined);
    return this.#last;
  }

  /** Lines that wait for a reader who has stalled, and all later ones, fail: whoever waits for them goes on to its end. */
  abandon(why: unknown): void {
    this.#abandoned = { why };
    for (const reject of this.#waiting) reject(why);
    this.#waiting.clear();
  }

  /** As they are: for a file, not for a terminal. */
  bytes(bytes: Uint8Array): Promise<void> {
    return this.#write(bytes);
  }

  /** The object with `--json`, else the words. */
  print(object: object, words: () => string): Promise<void> {
    return this.line(this.json ? toJson(object) : words());
  }

  fields(...fields: readonly string[]): Promise<void> {
    return this.line(fields.map(printable).join(this.terminal ? '  ' : '\t'));
  }

  /** With `--json`, the objects; on a terminal a table with a head; else fields between tabs. */
  async table<T extends object>(rows: readonly T[], columns: Readonly<Record<string, (row: T) => string>>, none: string): Promise<void> {
    if (this.json) {
      for (const row of rows) void this.line(toJson(row));
      return this.#last;
    }
    const cells = rows.map((row) => Object.values(columns).map((cell) => printable(cell(row))));
    if (!this.terminal) {
      for (const row of cells) void this.line(row.join('\t'));
      return this.#last;
    }
    if (rows.length === 0) return this.line(none);
    const heads = Object.keys(columns);
    const widths = heads.map((head, column) => Math.max(head.length, ...cells.map((row) => row[column]!.length)));
    const aligned = (row: readonly string[]): string => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd();
    void this.line(this.style('bold', aligned(heads)));
    for (const row of cells) void this.line(aligned(row));
    return this.#last;
  }

  style(style: Style, text: string): string {
    return this.#colour ? styleText(style, text, { validateStream: false }) : text;
  }

  /** Resolves when all lines are taken. */
  settled(): Promise<void> { return this.#last; }
}

/** Bytes become base64, marked as such. JSON lets stand what a terminal obeys as well; escaped it is the same JSON. */
export function toJson(object: object): string {
  return escapeHarmful(JSON.stringify(object, (_, value: unknown) => (value instanceof Uint8Array ? { base64: Buffer.from(value).toString('base64') } : value)));
}
