import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deferred } from '../../src/control/deferred.ts';
import { createBox, LanpostError, VERSION, type Box } from '../../src/index.ts';
import { avatarHash } from '../../src/link/avatar.ts';
import { sandbox } from '../control/sandbox.ts';
import { eventually } from '../support/eventually.ts';
import { GIF } from '../link/pictures.ts';
import { lanpost, launch, objects, type Ran } from './lanpost.ts';

let dir: string;
let box: Box;
const run = (...args: string[]): Promise<Ran> => lanpost([...args, '--dir', dir]);

/** Resolves when the box has noticed that its reader is gone: what is published before that is still handed to it. */
async function nobodyReads(filter: string, durable: string): Promise<void> {
  for (;;) {
    const reader = box.subscribe(filter, { durable });
    try {
      return await reader.ready;
    } catch (error) {
      if (!(error instanceof LanpostError && error.code === 'in-use')) throw error;
      await nextTurn();
    } finally {
      await reader.close();
    }
  }
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lanpost-cli-'));
  box = await createBox({ dir, link: false, name: 'shed' });
});
afterAll(async () => {
  await box.close();
  await rm(dir, { recursive: true, force: true });
});

describe('export and import', () => {
  it('leave nothing that is not whole, and say what stood in the way', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lanpost-export-'));
    try {
      const file = join(folder, 'b.jsonl');
      expect(await run('export', file)).toMatchObject({ code: 1, err: expect.stringContaining('stop that one first') });
      expect(await readdir(folder)).toEqual([]);
      await writeFile(file, '');
      expect(await run('export', file)).toMatchObject({ code: 2, err: expect.stringContaining('is there already') });
      const into = (path: string): Promise<Ran> => lanpost(['import', path, '--dir', join(folder, 'box')]);
      expect(await into(file)).toMatchObject({ code: 1, err: expect.stringContaining('It is empty') });
      expect(await into(join(folder, 'none'))).toMatchObject({ code: 2, err: expect.stringContaining('there is no such file') });
      expect(await readdir(folder)).toEqual(['b.jsonl']);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('is ended by Ctrl-C while it waits for more, and the whole goes in afterwards', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lanpost-export-'));
    try {
      const into = join(folder, 'box');
      const head = JSON.stringify({ lanpost: 'export', format: 1, box: 'aaaabbbbccccdddd', exported: 0 });
      const one = launch(['import', '-', '--dir', into]);
      one.child.stdin.write(`${head}\n`);
      await eventually(async () => (await readdir(into).catch((): string[] => [])).includes('key.pem'));
      one.child.kill('SIGINT');
      expect(await one.ended).toMatchObject({ code: 130, out: '', err: '' });
      expect(await lanpost(['import', '-', '--dir', into], `${head}\n`)).toMatchObject({ code: 0, out: expect.stringContaining('records taken in: 0') });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('a reader of the output that has stalled', () => {
  it('keeps no command from its end at one SIGTERM, nor its box locked', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lanpost-stalled-'));
    try {
      const other = await createBox({ dir: folder, link: false });
      // More than a pipe holds, several times.
      for (let n = 0; n < 64; n++) await other.publish('t', 'x'.repeat(32_768));
      const ended = async (args: readonly string[]): Promise<unknown> => {
        const running = launch([...args, '--dir', folder]);
        await once(running.child.stdout, 'data');
        running.child.stdout.pause();
        let written = '';
        // Stalled, once it writes nothing more.
        await eventually(async () => {
          const before = written;
          written = /wchar: (\d+)/.exec(await readFile(`/proc/${running.child.pid}/io`, 'utf8'))?.[1] ?? '';
          return written === before;
        }, { every: 200 });
        const exit = once(running.child, 'exit');
        running.child.kill('SIGTERM');
        return exit;
      };
      expect(await ended(['subscribe', '#', '--from', 'start'])).toEqual([143, null]);
      await other.close();
      expect(await ended(['export', '-'])).toEqual([143, null]);
      await (await createBox({ dir: folder, link: false })).close();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 30_000);
});

describe('lanpost', () => {
  it.each([
    [['--help'], 'Commands:'], [['help'], 'Commands:'], [['trust', '--help'], 'trust allow'], [['publish', '-h'], 'lanpost publish TOPIC VALUE'], [['help', 'home'], 'home add'],
    [['trust', 'allow', '--help'], 'lanpost trust allow PEER RIGHT [FILTER]'], [['help', 'publish'], 'lanpost publish TOPIC VALUE'],
  ])('%j helps', async (args, words) => {
    const { code, out, err } = await lanpost(args);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(words);
    expect(out).toMatch(/Example|COMMAND/);
  });

  it.each([
    [[], /^lanpost: a command is missing: see `lanpost --help`\n$/],
    [['dance'], /^lanpost: there is no command "dance"/],
    [['trust'], /one of trust list, trust allow, trust deny, trust revoke/],
    [['trust', 'dance'], /there is no command "trust dance"/],
    [['status', '--loud'], /^lanpost: Unknown option '--loud'.*; see `lanpost status --help`\n$/],
    [['publish', 'topic'], /^lanpost: VALUE is missing/],
    [['publish', 'topic', 'two', 'words'], /"words" is one argument too many/],
    [['subscribe', 't', '--count', '0'], /--count takes a whole number from 1/],
    [['subscribe', 't', '--from', 'yesterday'], /--from is new, last, start/],
    [['send', 'a', 'b', '--wait', 'read'], /--wait is one of accepted, handed, delivered/],
    [['trust', 'allow', 'a', 'own', 't'], /RIGHT is one of chat, read, write, files/],
    [['trust', 'allow', 'a', 'read'], /FILTER is missing/], [['trust', 'deny', 'a', 'chat', 't'], /"t" is one argument too many/],
    [['files'], /one of files send, files list, files accept, files decline, files watch/],
    [['files', 'send', 'a@b'], /FILE is missing/],
    [['home', 'add', 'a@b.c'], /--password-file F is missing/],
    [['home', 'add', 'a@b.c', '--password-file', '/nonexistent'], /ENOENT.*\/nonexistent/],
    [['start', '--editor-port', 'x'], /--editor-port takes a whole number/],
  ])('%j is refused in one line, exit 2', async (args, words) => {
    const { code, out, err } = await lanpost([...args, ...args.length > 0 ? ['--dir', dir] : []]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(words);
    expect(err.trim().split('\n')).toHaveLength(1);
  });

  it('an empty --dir is refused: it is not the folder where one happens to be', async () => {
    for (const command of ['start', 'status']) {
      expect(await lanpost([command, '--dir', ''])).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/^lanpost: --dir names a directory, and is empty/) });
    }
  });

  it('help that nobody reads any more ends in silence', async () => {
    const { child, ended } = launch(['--help']);
    child.stdout.destroy();
    expect(await ended).toMatchObject({ code: 0, err: '' });
  });

  it('--version and -V print the version', async () => {
    for (const flag of ['--version', '-V']) expect(await lanpost([flag])).toEqual({ code: 0, out: `${VERSION}\n`, err: '' });
    expect((await lanpost(['--help'])).out).toContain('`--version` is the version');
  });

  it('says how to start a box when none is running, exit 1', async () => {
    const { code, err } = await lanpost(['status', '--dir', join(dir, 'nowhere')]);
    expect({ code, err }).toEqual({ code: 1, err: `lanpost: no box is running in ${join(dir, 'nowhere')}: start one with \`lanpost start --dir ${join(dir, 'nowhere')}\`\n` });
  });
});

describe('lanpost files', () => {
  it('says what there is not, exit 1', async () => {
    expect(await run('files', 'list', '--json')).toEqual({ code: 0, out: '', err: '' });
    expect(await run('files', 'accept', '00000000')).toMatchObject({ code: 1, out: '', err: `lanpost: there is no offer or transfer 00000000: see \`lanpost files list --dir ${dir}\`\n` });
    expect(await run('files', 'decline', '00000000')).toMatchObject({ code: 1, err: expect.stringContaining('no offer or transfer') });
    expect(await run('files', 'send', 'b@h2', 'x')).toMatchObject({ code: 1, err: expect.stringContaining('the link is off') });
  });
});

describe('lanpost publish', () => {
  it('publishes JSON, and what is not JSON as text', async () => {
    const [json, text, negative] = [await run('publish', 'v', '{"celsius":21.5}'), await run('publish', 'v', 'twenty one'), await run('publish', 'v', '-5')];
    const items = await box.items('v');
    expect(items).toMatchObject([{ value: { celsius: 21.5 } }, { value: 'twenty one' }, { value: -5 }]);
    expect([json, text, negative]).toMatchObject(items.map((item) => ({ code: 0, out: `${item.kind === 'item' ? item.id : ''}\n`, err: '' })));
    expect(objects((await run('publish', 'v', '1', '--json')).out)).toMatchObject([{ topic: 'v', id: expect.any(String), seq: expect.any(Number), repeated: false }]);
  });

  it('waits until a reader has it, and says why it never will', async () => {
    const reader = box.subscribe('waited', { durable: 'waiter', from: 'start', ack: 'manual' });
    await reader.ready;
    const published = run('publish', 'waited', '1', '--delivered', 'waiter');
    const step = await reader.next();
    if (!step.done) step.value.ack();
    expect(await published).toMatchObject({ code: 0, out: expect.stringMatching(/\S/) });
    const lines = lanpost(['publish', 'waited', '-', '--delivered', 'waiter', '--dir', dir], '2');
    await reader.next();
    await reader.close();
    await box.subscriptions.drop('waiter');
    expect(await lines).toMatchObject({ code: 1, err: expect.stringContaining('line 1: waiter was dropped') });
    expect(await run('publish', 'waited', '3', '--delivered', 'nobody')).toMatchObject({ code: 1, err: expect.stringContaining('there is no durable subscription "nobody"') });
  });

  it('publishes each line of its input, and prints their ids in order', async () => {
    const values = Array.from({ length: 5000 }, (_, index) => index);
    const { code, out } = await lanpost(['publish', 'lines', '-', '--dir', dir], values.join('\n'));
    expect(code).toBe(0);
    const ids = out.trim().split('\n');
    expect(ids).toHaveLength(5000);
    const found = await box.items('lines', { last: 1000, limit: 1000 });
    expect(found.map((item) => item.kind === 'item' && item.value)).toEqual(values.slice(-1000));
    expect(found.map((item) => item.kind === 'item' && item.id)).toEqual(ids.slice(-1000));
  });

  it('stops at a line that is refused, and says which', async () => {
    const { code, out, err } = await lanpost(['publish', 'refused', '-', '--dir', dir], `1\n\n2\n"${'x'.repeat(3_000_000)}"\n4\n`);
    expect(code).toBe(1);
    expect(err).toMatch(/^lanpost: line 4: .*\n$/);
    // What had left with the refused one is told as well.
    expect((await box.items('refused')).map((item) => item.kind === 'item' && item.id)).toEqual(out.trim().split('\n'));
    expect(out.trim().split('\n').length).toBeGreaterThanOrEqual(2);
  });

  it('tells of a bad topic, exit 2', async () => {
    for (const args of [['publish', 'a/#', '1'], ['publish', '$a/#', '1'], ['subscribe', 'a/#/b'], ['trust', 'allow', 'f'.repeat(64), 'read', 'a/#/b']]) {
      const { code, out, err } = await run(...args);
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toMatch(/^lanpost: .*a\/#.*\n$/);
    }
  });

  it('ends with 130 at Ctrl-C, after what was on its way is told', async () => {
    const running = launch(['publish', 'ctrl', '-', '--dir', dir]);
    running.child.stdin.write('1\n2\n');
    await running.until('\n');
    running.child.kill('SIGINT');
    const { code, out, err } = await running.ended;
    expect({ code, err }).toEqual({ code: 130, err: '' });
    expect(out.trim().split('\n').length).toBe((await box.items('ctrl')).length);
  });
});

describe('lanpost subscribe', () => {
  it('prints what is there and what comes, and leaves after --count', async () => {
    await box.publish('s/a', { n: 1 });
    const running = launch(['subscribe', 's/+', '--from', 'start', '--count', '3', '--dir', dir]);
    await running.until('s/a');
    await box.publish('s/b', 'two\nlines');
    await box.publish('s/c', Uint8Array.from([1, 2, 3]));
    expect(await running.ended).toEqual({ code: 0, out: 's/a\t{"n":1}\ns/b\ttwo\\nlines\ns/c\t[3 bytes: AQID]\n', err: '' });
  });

  it('prints deliveries whole with --json', async () => {
    await box.publish('j', Uint8Array.from([1, 2]), { id: 'x' });
    const { out } = await run('subscribe', 'j', '--from', 'start', '--count', '1', '--json');
    expect(objects(out)).toEqual([{
      kind: 'item', topic: 'j', id: 'x', value: { base64: 'AQI=' }, contentType: 'application/octet-stream', seq: expect.any(Number),
      recordId: expect.any(String), time: expect.any(Number), timeTrusted: expect.any(Boolean), redelivered: false,
    }]);
  });

  it('goes on where a durable reader was, and brings again only what was not confirmed', async () => {
    for (let value = 0; value < 20; value++) await box.publish('d', value);
    const values = async (...args: string[]) => objects((await run('subscribe', 'd', '--durable', 'cli', '--json', ...args)).out).map((item) => item['value']);
    expect(await values('--from', 'start', '--count', '5')).toEqual([0, 1, 2, 3, 4]);
    expect(await values('--count', '5')).toEqual([5, 6, 7, 8, 9]);
    const killed = launch(['subscribe', 'd', '--durable', 'cli', '--dir', dir, '--json']);
    await killed.until('"value":19');
    killed.child.kill('SIGSTOP'); // its confirmations may be on their way; its death is certain
    killed.child.kill('SIGKILL');
    await killed.ended;
    await nobodyReads('d', 'cli');
    await box.publish('d', 20);
    const rest = objects((await run('subscribe', 'd', '--durable', 'cli', '--count', '1', '--json')).out);
    const [first] = rest;
    expect(Number(first?.['value'])).toBeGreaterThan(9);
    expect(first?.['redelivered']).toBe(Number(first?.['value']) < 20);
  });

  it('ends with 130 at Ctrl-C', async () => {
    const running = launch(['subscribe', 'quiet', '--from', 'start', '--dir', dir]);
    await box.publish('quiet', 1);
    await running.until('quiet');
    running.child.kill('SIGINT');
    expect(await running.ended).toMatchObject({ code: 130, err: '' });
  });

  it('ends with 0 when its reader has read enough', async () => {
    for (let value = 0; value < 100; value++) await box.publish('head', value);
    const running = launch(['subscribe', 'head', '--from', 'start', '--dir', dir]);
    await running.until('head');
    running.child.stdout.destroy();
    while (running.child.exitCode === null) await box.publish('head', 'more');
    const { code, err } = await running.ended;
    expect({ code, err }).toEqual({ code: 0, err: '' });
  });

  it('says so when the box goes, exit 1', async () => {
    const other = await mkdtemp(join(tmpdir(), 'lanpost-cli-'));
    const short = await createBox({ dir: other, link: false });
    const running = launch(['subscribe', 't', '--from', 'start', '--dir', other]);
    await short.publish('t', 1);
    await running.until('t\t1');
    await short.close();
    expect(await running.ended).toMatchObject({ code: 1, err: expect.stringMatching(/^lanpost: The connection to the box was lost.*\n$/) });
    await rm(other, { recursive: true, force: true });
  });

  it('tells of a reader that reads already, exit 1', async () => {
    const reader = box.subscribe('t', { durable: 'taken' });
    await reader.ready;
    expect(await run('subscribe', 't', '--durable', 'taken')).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^lanpost: .*taken.*\n$/) });
    await reader.close();
  });
});

describe('lanpost', () => {
  it('status tells how the box is, in words and as JSON', async () => {
    const words = (await run('status')).out;
    expect(words).toMatch(/^name\tshed/m);
    expect(words).toMatch(/^home\tnone configured/m);
    const { log: { topics } } = await box.status();
    expect(words).toMatch(new RegExp(`^log\topen, ${topics === 1 ? '1 topic' : `${topics} topics`}, `, 'm'));
    const alone = await createBox({ dir: join(dir, 'one-topic'), link: false });
    await alone.publish('t', 1);
    expect((await lanpost(['status', '--dir', join(dir, 'one-topic')])).out).toMatch(/^log\topen, 1 topic, /m);
    await alone.close();
    const [status] = objects((await run('status', '--json')).out);
    expect(status).toMatchObject({ name: box.name, peers: 0, homes: [], dir, link: { state: 'off' } });
  });

  it('status --watch tells how it is, and then what changes, until Ctrl-C', async () => {
    const [words, json] = [launch(['status', '--watch', '--dir', dir]), launch(['status', '--watch', '--json', '--dir', dir])];
    await Promise.all([words.until('\nlog\topen'), json.until('"topics"')]);
    await box.publish('watched/one', 1);
    const { log: { head } } = await box.status();
    await Promise.all([words.until(`position ${head}\n`), json.until(`"head":${head}`)]);
    for (const { child } of [words, json]) child.kill('SIGINT');
    const [said, told] = [await words.ended, await json.ended];
    expect([said.code, said.err, told.code, told.err]).toEqual([130, '', 130, '']);
    // Its name has not changed.
    expect(said.out.match(/^name\t/gm)).toHaveLength(1);
    expect(said.out.match(/^log\t/gm)?.length).toBeGreaterThan(1);
    expect(objects(told.out).at(-1)).toMatchObject({ name: box.name, log: { head } });
  });

  it('presence says what the box tells of itself, and changes it', async () => {
    expect((await run('presence')).out).toBe('status\tavailable\n');
    const changed = await run('presence', '--status', 'away', '--text', 'at \u001blunch', '--nick', 'Shed', '--email', 'a@b', '--email', 'c@d', '--personal', 'no');
    expect(changed).toEqual({ code: 0, out: 'status\taway (at \\u{1b}lunch)\nnick\tShed\nemail\ta@b, c@d\npersonal\tno: nothing of a person is told\n', err: '' });
    expect(objects((await run('presence', '--json')).out)).toEqual([{ status: 'away', statusText: 'at \u001blunch', about: { nick: 'Shed', email: ['a@b', 'c@d'], personal: false } }]);
    expect((await run('presence', '--nick', '', '--email', '', '--personal', 'yes', '--status', 'available')).out).toBe('status\tavailable\n');
    expect(await run('presence', '--status', 'partying')).toMatchObject({ code: 2, err: expect.stringMatching(/--status is one of available, away, dnd/) });
    expect(await run('presence', '--jid', 'nobody')).toMatchObject({ code: 1, err: expect.stringMatching(/about.jid must be addresses/) });
  });

  it('avatar sets a picture from a file, and takes it back', async () => {
    const [file, text] = [join(dir, 'a.gif'), join(dir, 'a.txt')];
    await writeFile(file, GIF);
    await writeFile(text, 'no picture');
    const hash = avatarHash(GIF);
    expect(await run('avatar', 'set', file)).toEqual({ code: 0, out: `${hash}\n`, err: '' });
    expect(objects((await run('avatar', 'set', file, '--json')).out)).toEqual([{ avatar: hash }]);
    expect((await run('presence')).out).toBe(`status\tavailable\navatar\t${hash}\n`);
    expect(await run('avatar', 'clear')).toEqual({ code: 0, out: 'no picture is shown any more\n', err: '' });
    expect(objects((await run('avatar', 'clear', '--json')).out)).toEqual([{ avatar: null }]);
    expect((await box.status()).presence).not.toHaveProperty('avatar');
    expect(await run('avatar', 'set', join(dir, 'none.png'))).toEqual({ code: 1, out: '', err: `lanpost: there is no file ${join(dir, 'none.png')}\n` });
    expect(await run('avatar', 'set', dir)).toEqual({ code: 1, out: '', err: `lanpost: ${dir} is a folder, and no file\n` });
    expect(await run('avatar', 'set', text)).toMatchObject({ code: 1, err: 'lanpost: an avatar is a PNG, JPEG or GIF picture\n' });
    expect(await run('peers', 'show', 'nobody@nowhere')).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^lanpost: nobody@nowhere is not on the link/) });
    expect(await run('avatar', 'get', 'nobody@nowhere')).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^lanpost: the link is off/) });
  });

  it('peers, trust and home list what there is', async () => {
    for (const args of [['peers'], ['trust', 'list'], ['home', 'list']]) {
      expect(await run(...args)).toEqual({ code: 0, out: '', err: '' });
    }
  });

  it('peers adds and removes who is called, or says why not', async () => {
    for (const what of ['add', 'remove']) {
      expect(await run('peers', what, 'pi.example.org')).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^lanpost: the link is off.*\n$/) });
      expect(await run('peers', what)).toMatchObject({ code: 2, err: expect.stringContaining('HOST[:PORT] is missing') });
    }
    expect(await run('peers', 'ad')).toMatchObject({ code: 2, err: expect.stringContaining('one argument too many') });
    expect((await run('peers', '--help')).out).toMatch(/peers +List.*\n.*\n +peers add HOST/);
  });

  it('trust allow, deny and revoke say what holds for a class', async () => {
    const classOf = async (name: string): Promise<unknown> => (await run('trust', 'list', '--classes', '--json')).out.split('\n').filter(Boolean)
      .map((line) => JSON.parse(line) as { name: string }).find((one) => one.name === name);
    expect((await run('trust', 'allow', 'class:seen', 'read', 'public/#')).out).toMatch(/class:seen\tchat, read public\/#/);
    expect((await run('trust', 'deny', 'class:seen', 'chat')).out).toMatch(/class:seen\tread public\/#, not chat/);
    expect(await classOf('class:seen')).toEqual({ name: 'class:seen', grants: [{ right: 'read', filter: 'public/#' }], denials: [{ right: 'chat' }] });
    expect(await run('trust', 'revoke', 'class:seen')).toEqual({ code: 0, out: 'nothing is said of class:seen any more: it may chat, and nothing else\n', err: '' });
    expect(await classOf('class:seen')).toEqual({ name: 'class:seen', grants: [], denials: [] });
    expect((await run('trust', 'deny', 'f'.repeat(64), 'chat', '--json')).out).toContain('"level":"seen"');
    expect((await run('trust', 'revoke', 'f'.repeat(64))).out).toBe(`nothing is said of ${'f'.repeat(64)} any more: its key counts as seen, and may what class:seen may\n`);
    expect(objects((await run('trust', 'revoke', 'f'.repeat(64), '--json')).out)).toEqual([{ revoked: 'f'.repeat(64) }]);
  });

  it('trust says why it cannot allow, exit 1', async () => {
    expect(await run('trust', 'allow', 'nobody@nowhere', 'read', '#')).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^lanpost: .+\n$/) });
  });

  it('send tells of an address that no road leads to, exit 1', async () => {
    expect(await run('send', 'link:nobody@nowhere', 'hello')).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^lanpost: .*nobody@nowhere.*\n$/) });
  });

  it('send keeps a message for a home that is away, and gives up waiting when told to', async () => {
    await box.homes.add({ jid: 'box@home.invalid', password: 'secret', host: '127.0.0.1', port: 9 });
    const sent = await run('send', 'xmpp:me@home.invalid', 'hello', '--json');
    expect(sent).toMatchObject({ code: 0, err: '' });
    expect(objects(sent.out)).toEqual([{ id: expect.any(String), to: 'xmpp:me@home.invalid', state: 'accepted' }]);
    const waited = await run('send', 'xmpp:me@home.invalid', 'hello', '--wait', 'delivered', '--timeout', '0.2');
    expect(waited).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/^lanpost: not delivered within 0.2 s; the message \S+ is kept and tried on\n$/) });
    await box.homes.remove('box@home.invalid');
  });

  it('home adds, lists and removes an account', async () => {
    const file = join(dir, 'password');
    await writeFile(file, 'secret\n', { mode: 0o600 });
    const added = await run('home', 'add', 'box@home.invalid', '--password-file', file, '--host', '127.0.0.1', '--port', '9', '--topics', 'a/#', '--topics', 'b', '--json');
    expect(added).toMatchObject({ code: 0, err: '' });
    expect(objects(added.out)).toMatchObject([{ jid: 'box@home.invalid', topics: ['a/#', 'b'], queued: expect.any(Number), oldestAge: expect.any(Number) }]);
    expect((await run('home', 'list')).out).toMatch(/^box@home\.invalid\t/);
    const watching = launch(['home', 'watch', '--json', '--dir', dir]);
    expect(objects(await watching.until('\n'))).toMatchObject([{ event: 'home', type: 'state', home: { jid: 'box@home.invalid' } }]);
    watching.child.kill('SIGINT');
    await watching.ended;
    expect((await run('home', 'watch', 'you@home.invalid')).code).toBe(1);
    expect(JSON.stringify(await box.status())).not.toContain('secret');
    expect(await run('home', 'remove', 'box@home.invalid')).toEqual({ code: 0, out: '', err: '' });
    expect((await run('home', 'remove', 'box@home.invalid')).code).toBe(1);
    expect(await box.homes.list()).toEqual([]);
  });

  it('messages prints what comes, until Ctrl-C', async () => {
    const running = launch(['messages', '--name', 'pager', '--dir', dir]);
    running.child.kill('SIGINT');
    expect((await running.ended).err).toBe('');
  });
});

describe('lanpost at a box that hangs', () => {
  it('ends at Ctrl-C, with 130', async () => {
    const asked = deferred<void>();
    const hung = await sandbox({
      call() {
        asked.resolve();
        return new Promise<never>(() => undefined);
      },
      open: () => { throw new TypeError('no streams here'); },
    });
    const running = launch(['status', '--dir', hung.dir]);
    await asked.promise;
    running.child.kill('SIGINT');
    expect(await running.ended).toEqual({ code: 130, out: '', err: '' });
    await hung[Symbol.asyncDispose]();
  });
});

describe('command', () => {
  it('lists and runs what the box offers, and says in words why not', async () => {
    await using offer = await box.commands.offer('pump/start', ({ value }) => ({ got: value }), { title: 'Start the pump' });
    expect(offer.name).toBe('pump/start');
    expect(await run('command', 'list')).toMatchObject({ code: 0, out: expect.stringMatching(/pump\/start\s+Start the pump/) });
    expect(await run('command', 'run', 'link:shed', 'pump/start', '{"seconds":20}')).toMatchObject({ code: 0, out: '{"got":{"seconds":20}}\n' });
    expect(await run('command', 'run', 'link:shed', 'pump/start', '--json')).toMatchObject({ code: 0, out: '{"command":"pump/start","answer":{"got":null}}\n' });
    // Its words are a stranger's: a terminal obeys none of them.
    const bad = await box.commands.offer('bad', () => { throw new LanpostError('failed', 'no \u009b2J\u202efuel'); });
    expect(await run('command', 'run', 'link:shed', 'bad')).toMatchObject({ code: 1, err: 'lanpost: no \\u{9b}2J\\u{202e}fuel\n' });
    await bad.close();
    expect(await run('command', 'run', 'link:shed', 'none')).toMatchObject({ code: 1, err: expect.stringContaining('no command none is offered') });
    expect(await run('command', 'request', 'link:other', '<a xmlns="x"/>')).toMatchObject({ code: 1 });
  });

  it('is granted to accounts, and taken back', async () => {
    expect(await run('trust', 'allow', 'xmpp:me@home.example', 'command', 'pump/#')).toMatchObject({ code: 0, out: expect.stringContaining('command pump/#') });
    expect(await run('trust', 'list', '--accounts')).toMatchObject({ code: 0, out: expect.stringContaining('xmpp:me@home.example') });
    expect(await run('trust', 'allow', 'xmpp:me@home.example', 'read', 'a')).toMatchObject({ code: 1 });
    expect(await run('trust', 'allow', 'class:paired', 'command')).toMatchObject({ code: 2, err: expect.stringContaining('which commands') });
    expect(await run('trust', 'revoke', 'xmpp:me@home.example')).toMatchObject({ code: 0, out: expect.stringContaining('may do nothing here') });
  });
});
