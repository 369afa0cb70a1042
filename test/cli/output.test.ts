import { PassThrough, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { lines } from '../../src/cli/lines.ts';
import { bytesInWords, spanInWords, timeInWords } from '../../src/cli/measure.ts';
import { BrokenPipe, Output } from '../../src/cli/output.ts';
import { printable } from '../../src/cli/printable.ts';

function output(o: { json?: boolean; terminal?: boolean; colour?: boolean } = {}) {
  const stream = Object.assign(new PassThrough(), { isTTY: o.terminal ?? false });
  const out = new Output({ stream, json: o.json ?? false, colour: o.colour ?? false });
  return { out, text: () => String(stream.read() ?? '') };
}
interface Row { readonly name: string; readonly age: number }
const rows: readonly Row[] = [{ name: 'alice', age: 7 }, { name: 'bo\u001b[31mb', age: 10 }];
const columns = { NAME: (row: Row) => row.name, AGE: (row: Row) => String(row.age) };

describe('output', () => {
  it('is one JSON object per line with --json, bytes as base64', async () => {
    const { out, text } = output({ json: true, terminal: true, colour: true });
    await out.table(rows, columns, 'nobody');
    await out.print({ value: Uint8Array.from([1, 2]) }, () => 'words');
    expect(text()).toBe('{"name":"alice","age":7}\n{"name":"bo\\u001b[31mb","age":10}\n{"value":{"base64":"AQI="}}\n');
  });

  it('holds nothing that a terminal obeys, with --json either, and is the same JSON', async () => {
    const { out, text } = output({ json: true, terminal: true });
    const said = { '\u009b31m': 'a\u009b2J\u0085\u202e\u2028b\u007f"\n\\' };
    await out.print(said, () => 'words');
    const line = text().trimEnd();
    expect(line).not.toMatch(/[\p{Cc}\u202e\u2028]/u);
    expect(JSON.parse(line)).toEqual(said);
  });

  it('can be lines in whose place others come, no wider than the terminal', async () => {
    const { out, text } = output({ terminal: true });
    await out.block(['a', 'b\u001b[2J']);
    await out.block(['x'.repeat(100)]);
    await out.line('end');
    expect(text()).toBe(`a\nb\\u{1b}[2J\n\u001b[2A\r\u001b[J${'x'.repeat(79)}\n\u001b[1A\r\u001b[Jend\n`);
  });

  it('is fields between tabs into a pipe', async () => {
    const { out, text } = output();
    await out.table(rows, columns, 'nobody');
    await out.table([], columns, 'nobody');
    expect(text()).toBe('alice\t7\nbo\\u{1b}[31mb\t10\n');
  });

  it('is a table with a head on a terminal', async () => {
    const { out, text } = output({ terminal: true });
    await out.table(rows, columns, 'nobody');
    await out.table([], columns, 'nobody');
    expect(text()).toBe('NAME           AGE\nalice          7\nbo\\u{1b}[31mb  10\nnobody\n');
  });

  it('writes over a line that is only for now', async () => {
    const { out, text } = output({ terminal: true });
    await out.transient('10 %');
    await out.transient('20 %');
    await out.line('done');
    await out.line('next');
    expect(text()).toBe('10 %\r\u001b[K20 %\r\u001b[Kdone\nnext\n');
  });

  it('is coloured on a terminal only', () => {
    expect(output({ terminal: true, colour: true }).out.style('red', 'x')).toBe('\u001b[31mx\u001b[39m');
    expect(output({ colour: true }).out.style('red', 'x')).toBe('x');
    expect(output({ terminal: true, json: true, colour: true }).out.style('red', 'x')).toBe('x');
  });

  it('says when nobody reads it any more', async () => {
    const stream = new Writable({ write(_chunk, _encoding, callback) { callback(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })); } });
    stream.on('error', () => undefined);
    const out = new Output({ stream, json: false, colour: false });
    await expect(out.line('hello')).rejects.toThrow(BrokenPipe);
    await expect(out.settled()).rejects.toThrow(BrokenPipe);
  });
});

describe('words', () => {
  it('keep control and direction characters from the terminal', () => {
    expect(printable('a\nb\tc\u0007\u009b2J\u202Eevil\u2066')).toBe('a\\nb\\tc\\u{7}\\u{9b}2J\\u{202e}evil\\u{2066}');
    expect(printable('ünï 😀 日本')).toBe('ünï 😀 日本');
  });
  it('say sizes, spans and times', () => {
    expect([0, 1023, 1024, 1536, 10 * 1024 ** 2, 3 * 1024 ** 4, 5000 * 1024 ** 4].map(bytesInWords)).toEqual(['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '10 MiB', '3.0 TiB', '5000 TiB']);
    expect([0, 90_000, 600_000, 10_800_000, 864_000_000].map(spanInWords)).toEqual(['0 s', '90 s', '10 min', '3 h', '10 days']);
    expect(timeInWords(new Date(2026, 10, 3, 4, 5, 6).getTime())).toBe('2026-11-03 04:05:06');
    expect(timeInWords(0, false)).toMatch(/\?$/);
    expect(timeInWords(Number.NaN)).toBe('?');
  });
});

describe('lines of input', () => {
  const read = async (...chunks: (string | Uint8Array)[]) => collect(lines((async function* () { yield* chunks; })()));
  it('are told apart, trimmed, counted, however they are cut', async () => {
    const bytes = Buffer.from('{"ä":1}\r\n\n  text\nlast');
    const whole = [{ number: 1, text: '{"ä":1}' }, { number: 3, text: 'text' }, { number: 4, text: 'last' }];
    expect(await read(bytes)).toEqual(whole);
    expect(await read(...[...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(whole);
    expect(await read()).toEqual([]);
  });
});

// Node 20 has no Array.fromAsync.
async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of source) all.push(one);
  return all;
}
