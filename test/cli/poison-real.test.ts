// Items at which a home server ends the stream, as they are larger than the stanzas it takes: at real servers, and by the command line.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createRequest } from '../../src/home/node.ts';
import { createBox } from '../../src/index.ts';
import { openReader } from '../home/reader.ts';
import { eventually } from '../support/eventually.ts';
import { createHomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';
import { lanpost } from './lanpost.ts';

/** Bytes of a stanza that the server takes at first; and more than that, but less than it takes when it is asked for no limit. */
const [LIMIT, LARGE] = [20_000, 60_000];
const SMALL = { prosody: { EXTRA: `c2s_stanza_size_limit = ${LIMIT}` }, ejabberd: { MAX_STANZA: String(LIMIT) } } as const;
const [DOOR, BOILER] = ['door', 'plant/boiler'];

describe.each(['prosody', 'ejabberd'] as const)('what %s ends the stream for', (kind) => {
  it.skipIf(!needs(kind))('is put aside, all else goes up in order and once, and the owner has it tried again or given up', async () => {
    await using server = await createHomeServer(kind);
    const dir = mkdtempSync(join(tmpdir(), 'lanpost-poison-'));
    try {
      await server.start(SMALL[kind]);
      await using box = await createBox({ dir, link: false, name: 'shed' });
      const run = async (...args: string[]): Promise<string> => {
        const { code, out, err } = await lanpost([...args, '--dir', dir]);
        expect([code, err]).toEqual([0, '']);
        return out;
      };
      const first = 'x'.repeat(LARGE);
      const told = new Map<string, string[]>([[DOOR, []], [BOILER, []]]);
      const follow = () => openReader(server, 'edge1', { told: (ids, node) => { told.get(node)?.push(...ids); } });
      const { jid, password } = server.account('edge1');
      {
        await using reader = await follow();
        for (const node of [DOOR, BOILER]) {
          await reader.request(createRequest(server.service, node, { accessModel: 'open', maxItems: 'max' }));
          await reader.subscribe(node);
        }
        const secret = join(dir, 'password');
        writeFileSync(secret, `${password}\n`);
        await run('home', 'add', jid, '--password-file', secret, '--host', server.host, '--port', String(server.port), '--ca', server.ca, '--topics', '#');
        await Promise.all(['a', first, 'b', `second ${first}`, 'c'].map((value) => box.publish(DOOR, value)).concat(Array.from({ length: 100 }, (_, n) => box.publish(BOILER, n))));
        const status = async () => (await box.homes.list())[0];
        await eventually(async () => (await status())?.poison === 2, { within: 60_000, tell: status });
        await eventually(async () => told.get(DOOR)?.length === 3 && told.get(BOILER)?.length === 100, { tell: async () => [await status(), [...told]] });
        expect((await reader.items(DOOR)).toSorted((a, b) => a.seq - b.seq).map(({ id, value }) => [id, value])).toEqual(['a', 'b', 'c'].map((value, n) => [told.get(DOOR)?.[n], value]));
        expect((await reader.items(BOILER)).toSorted((a, b) => a.seq - b.seq).map(({ id, value }) => [id, value])).toEqual(Array.from({ length: 100 }, (_, n) => [told.get(BOILER)?.[n], n]));
      }
      expect(await run('status')).toContain('2 put aside (lanpost poison list)');
      // Without a reader's name its own stands before each.
      const [former, latter] = (await run('poison', 'list')).trimEnd().split('\n').map((line) => line.split('\t'));
      const reason = expect.stringMatching(/^the server ended the stream: policy-violation \(.*too (big|large).*\), twice when this alone was in flight$/) as string;
      const [name = '', position = ''] = former ?? [];
      expect(former).toEqual([`home:${jid} #`, position, expect.any(String), '-', DOOR, reason, expect.stringMatching(/^x+/)]);
      expect(latter).toEqual([name, expect.stringMatching(/^\d+$/), expect.any(String), '-', DOOR, reason, expect.stringMatching(/^second x+/)]);

      // As it is by itself: it takes four times as much.
      await server.stop();
      await server.start();
      {
        await using reader = await follow();
        for (const node of [DOOR, BOILER]) await reader.subscribe(node);
        for (const ids of told.values()) ids.length = 0;
        expect(await run('poison', 'retry', name, position)).toBe(`1 item goes to ${name} once more\n`);
        expect(await run('poison', 'drop', name, latter?.[1] ?? '')).toBe(`1 item is given up; ${name} will not get it\n`);
        await run('publish', DOOR, 'd');
        await eventually(async () => told.get(DOOR)?.length === 2, { within: 60_000, tell: async () => [await box.homes.list(), [...told]] });
        expect((await reader.items(DOOR)).toSorted((one, other) => one.seq - other.seq).map(({ value }) => value)).toEqual(['a', first, 'b', 'c', 'd']);
        expect(told.get(BOILER)).toEqual([]);
      }
      expect(await run('poison', 'list', name)).toBe('');
      expect(await run('status')).not.toContain('put aside');
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
