import { readFile } from 'node:fs/promises';
import { LanpostError } from '../../index.ts';
import type { Command } from '../command.ts';
import { UsageError } from '../usage-error.ts';

const set: Command = {
  name: 'avatar set',
  takes: ['FILE'],
  summary: 'Show others a picture of the box: PNG, JPEG or GIF, at most 8000 bytes',
  options: {},
  examples: ['lanpost avatar set hall.png'],
  async run({ args, out, attach }) {
    const [file = ''] = args.positionals;
    const box = await attach();
    const image = await pictureIn(file);
    await box.setAvatar(image);
    const { avatar } = (await box.status()).presence;
    await out.print({ avatar }, () => avatar ?? '');
  },
};

const clear: Command = {
  name: 'avatar clear',
  takes: [],
  summary: 'Show no picture any more',
  options: {},
  examples: ['lanpost avatar clear'],
  async run({ out, attach }) {
    const box = await attach();
    await box.setAvatar();
    await out.print({ avatar: null }, () => 'no picture is shown any more');
  },
};

const get: Command = {
  name: 'avatar get',
  takes: ['PEER'],
  summary: 'Write the picture of a peer to standard output',
  options: {},
  examples: ['lanpost avatar get alice@laptop > alice.png'],
  async run({ args, out, attach }) {
    const [peer = ''] = args.positionals;
    if (out.terminal) throw new UsageError('a picture is nothing for a terminal: lanpost avatar get PEER > FILE');
    const box = await attach();
    const image = await box.peers.avatar(peer);
    if (!image) throw new LanpostError('not-found', `${peer} has no picture, or not the one it announces`);
    await (out.json ? out.print({ peer, image }, () => '') : out.bytes(image));
  },
};

async function pictureIn(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') throw new LanpostError('not-found', `there is no file ${file}`, { cause: error });
    if (code === 'EISDIR') throw new LanpostError('invalid-value', `${file} is a folder, and no file`, { cause: error });
    if (code === 'EACCES') throw new LanpostError('forbidden', `${file} may not be read`, { cause: error });
    throw error;
  }
}

export const avatar: readonly Command[] = [set, clear, get];
