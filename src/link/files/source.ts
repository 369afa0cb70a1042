import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, isAbsolute } from 'node:path';
import type { FileContent } from '../../api.ts';
import { LanpostError } from '../../errors.ts';
import { safeFileName } from './file-name.ts';

/** What is sent: so many bytes under a name, read as they are needed. */
export interface Source {
  readonly name: string;
  readonly size: number;
  /** SHA-256 in base64; all of it is read for that. */
  sha256(signal: AbortSignal): Promise<string>;
  /** All of it, in blocks of that size. Fails when there turns out to be less. */
  blocks(bytes: number): AsyncGenerator<Uint8Array, void>;
  close(): Promise<void>;
}

const READ_BYTES = 1 << 18;

/** `file`: a path, or what is in it. Only whole, plain files are sent. */
export async function openSource(file: string | FileContent): Promise<Source> {
  if (typeof file !== 'string') return memorySource(file);
  // Where this process stands is nothing that whoever asks needs to know.
  if (!isAbsolute(file)) throw new LanpostError('invalid-value', `"${file}" is no absolute path`);
  // O_NONBLOCK: a pipe that nobody writes to would hold up the opening.
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch((error: unknown) => { throw unreadable(file, error); });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new LanpostError('invalid-value', `${file} is no file`);
    return fileSource(handle, safeFileName(basename(file)), stat.size);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function memorySource({ name, data }: FileContent): Source {
  return {
    name: safeFileName(name),
    size: data.byteLength,
    sha256: async () => createHash('sha256').update(data).digest('base64'),
    async *blocks(bytes) {
      for (let at = 0; at < data.byteLength; at += bytes) yield data.subarray(at, at + bytes);
    },
    close: async () => undefined,
  };
}

function fileSource(handle: FileHandle, name: string, size: number): Source {
  async function *blocks(bytes: number): AsyncGenerator<Uint8Array, void> {
    for (let at = 0; at < size;) {
      const wanted = Math.min(bytes, size - at);
      const block = Buffer.allocUnsafeSlow(wanted);
      let filled = 0;
      while (filled < wanted) {
        const { bytesRead } = await handle.read(block, filled, wanted - filled, at + filled);
        if (bytesRead === 0) throw new LanpostError('conflict', `${name} became shorter while it was sent`);
        filled += bytesRead;
      }
      at += wanted;
      yield block;
    }
  }
  return {
    name, size, blocks,
    async sha256(signal) {
      const hash = createHash('sha256');
      for await (const block of blocks(READ_BYTES)) {
        signal.throwIfAborted();
        hash.update(block);
      }
      return hash.digest('base64');
    },
    close: () => handle.close(),
  };
}

function unreadable(path: string, cause: unknown): LanpostError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return new LanpostError('not-found', `there is no file ${path}`, { cause });
  if (code === 'EACCES' || code === 'EPERM') return new LanpostError('forbidden', `${path} may not be read`, { cause });
  return new LanpostError('invalid-value', `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}
