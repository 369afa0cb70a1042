// What a disk holds after the power went, from a trace of what was done to it (disk-shim.c). The rules are ext4's at
// their strictest: bytes are there once their file was synced, a new file's entry too; a rename or an unlink is there once
// its directory was. What lies between may be there or not: the tails below are some of what was seen.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface DiskOp {
  /** O open that creates or empties, W write, S sync, R rename, U unlink, T truncate, D mkdir, M shared writable mapping, A said. */
  readonly op: string;
  readonly name: string;
  readonly other: string;
  readonly offset: number;
  readonly bytes: Buffer;
}

export function readTrace(trace: Buffer): DiskOp[] {
  const ops: DiskOp[] = [];
  for (let at = 0; at < trace.length;) {
    const text = (): string => {
      const length = trace.readUInt32LE(at);
      at += 4 + length;
      return trace.toString('utf8', at - length, at);
    };
    const op = String.fromCharCode(trace[at++] ?? 0);
    const name = text();
    const other = text();
    const offset = Number(trace.readBigUInt64LE(at));
    const length = trace.readUInt32LE(at + 8);
    at += 12 + length;
    ops.push({ op, name, other, offset, bytes: trace.subarray(at - length, at) });
  }
  return ops;
}

/** What becomes of bytes that were written and not synced. */
export type Tail = 'lost' | 'half' | 'garbage' | 'zeros' | 'kept';
/** Whether names changed since their directory was synced. */
export type Entries = 'undone' | 'kept';

class File {
  #bytes: Buffer = Buffer.alloc(4096);
  size = 0;
  /** Once its bytes were synced, its entry is there. */
  synced = false;
  /** Each with what it wrote over. */
  #pending: { readonly offset: number; readonly bytes: Buffer; readonly old: Buffer; readonly oldSize: number }[] = [];

  write(offset: number, bytes: Buffer): void {
    const end = offset + bytes.length;
    if (end > this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes], Math.max(end, this.#bytes.length * 2));
    this.#pending.push({ offset, bytes, old: Buffer.from(this.#bytes.subarray(offset, Math.min(end, Math.max(offset, this.size)))), oldSize: this.size });
    this.#bytes.set(bytes, offset);
    this.size = Math.max(this.size, end);
  }

  sync(): void {
    this.#pending = [];
    this.synced = true;
  }

  after(tail: Tail, random: () => number): Buffer {
    if (tail === 'kept') return Buffer.from(this.#bytes.subarray(0, this.size));
    let size = this.size;
    const bytes = Buffer.from(this.#bytes.subarray(0, size));
    for (const { offset, old, oldSize } of this.#pending.toReversed()) {
      bytes.set(old, offset);
      size = oldSize;
    }
    if (tail === 'lost') return bytes.subarray(0, size);
    const written = this.#pending.reduce((sum, one) => sum + one.bytes.length, 0);
    let left = tail === 'half' ? Math.floor(written / 2) : written;
    for (const one of this.#pending) {
      const part = one.bytes.subarray(0, left);
      left -= part.length;
      if (part.length === 0) break;
      bytes.set(tail === 'half' ? part : Uint8Array.from(part, () => (tail === 'zeros' ? 0 : Math.floor(random() * 256))), one.offset);
      size = Math.max(size, one.offset + part.length);
    }
    return bytes.subarray(0, size);
  }
}

export class Disk {
  readonly #now = new Map<string, File>();
  #safe = new Map<string, File>();
  readonly #folders = new Set<string>();

  apply({ op, name, other, offset, bytes }: DiskOp): void {
    const file = this.#now.get(name);
    if (op === 'O') this.#now.set(name, new File());
    else if (op === 'D') this.#folders.add(name);
    else if (op === 'W') file?.write(offset, bytes);
    else if (op === 'S' && (name === '' || this.#folders.has(name))) this.#syncFolder(name);
    else if (op === 'S') {
      file?.sync();
      if (file && !this.#safe.has(name)) this.#safe.set(name, file);
    } else if (op === 'R') {
      if (file) this.#now.set(other, file);
      this.#now.delete(name);
    } else if (op === 'U') this.#now.delete(name);
    else if (op !== 'A') throw new Error(`${op} of ${name} is not known here`);
  }

  /** Writes what is there after a cut now. */
  cut(to: string, tail: Tail, entries: Entries, random: () => number): void {
    mkdirSync(to, { recursive: true });
    for (const name of this.#folders) mkdirSync(join(to, name), { recursive: true });
    for (const [name, file] of entries === 'kept' ? this.#now : this.#safe) {
      mkdirSync(dirname(join(to, name)), { recursive: true });
      writeFileSync(join(to, name), file.after(tail, random));
    }
  }

  #syncFolder(name: string): void {
    const within = (path: string): boolean => (name === '' ? !path.includes('/') : path.startsWith(`${name}/`));
    this.#safe = new Map([...[...this.#safe].filter(([path]) => !within(path)), ...[...this.#now].filter(([path]) => within(path))]);
  }
}
