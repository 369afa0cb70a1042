// What waits for a home, carried there in a file: two paired boxes at their command lines, and Prosody as the home of both.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Witness } from '../chaos/witness.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { ROOT } from '../support/root.ts';

const [SERVER, AUTHOR, CARRIER] = [1, 2, 3];
const [AUTHOR_NAME, CARRIER_NAME] = ['shed@h2', 'desk@h3'];
const TOPIC = 'plant/boiler';
const WAITING = 25;

describe.skipIf(!needs('root', 'prosody'))('lanpost outbox', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-outbox-'));
  const file = (name: string): string => join(dir, name);
  let lan: Lan;
  let server: HomeServer;
  let author: BoxProcess;
  let carrier: BoxProcess;

  /** What a person sees on a pipe: what was printed, or what it ended with. */
  const said = async (box: BoxProcess, ...args: string[]): Promise<string> => {
    const host = box === author ? AUTHOR : CARRIER;
    return lan.run(host, process.execPath, [join(ROOT, 'dist/src/cli/main.js'), ...args, '--dir', box.dir], { timeout: 140_000 });
  };
  /** How a command fails, with its exit code. */
  const fails = async (box: BoxProcess, ...args: string[]): Promise<string> => said(box, ...args).then((out) => { throw new Error(`it did not fail: ${out}`); }, (error: Error) => error.message.slice(error.message.indexOf('ended with')));
  beforeAll(async () => {
    lan = await createLan(3);
    server = await createHomeServer('prosody', { lan, host: SERVER });
    await server.start();
    [author, carrier] = await Promise.all([startBox({ dir: file('author'), name: 'shed', lan, host: AUTHOR }), startBox({ dir: file('carrier'), name: 'desk', lan, host: CARRIER })]);
    const both = [[author, 'edge1', CARRIER_NAME], [carrier, 'viewer', AUTHOR_NAME]] as const;
    for (const [box, , name] of both) {
      await using watching = box.run('peers', '--watch');
      await watching.line(({ type, peer }) => type === 'up' && (peer as { name?: string }).name === name);
    }
    const pairing = both.map(([box, , name]) => box.run('pair', name));
    await Promise.all(pairing.map((pair) => pair.line(({ type }) => type === 'words')));
    for (const { child } of pairing) child.stdin.write('yes\n');
    await Promise.all(pairing.map(({ ended }) => ended));
    // The carrier's account is no administrator of the service, who might publish anywhere.
    for (const [box, user] of both) {
      const { jid, password } = server.account(user);
      writeFileSync(file('password'), `${password}\n`);
      await box.cli('home', 'add', jid, '--password-file', file('password'), '--host', server.host, '--port', String(server.port), '--ca', server.ca, ...box === author ? ['--topics', 'plant/#'] : []);
      await online(box);
    }
  });
  afterAll(async () => {
    await Promise.all([author, carrier].map((box) => box?.stop()));
    await server?.down();
    await lan?.down();
    rmSync(dir, { recursive: true, force: true });
  });

  async function online(box: BoxProcess): Promise<void> {
    await using watching = box.run('home', 'watch');
    await watching.line((line) => (line['home'] as { state?: string }).state === 'online');
  }

  it('is allowed, exported, imported twice and confirmed; the home has each item once, and the box sends none of them', async () => {
    const { jid: account } = server.account('viewer');
    const { jid: home } = server.account('edge1');
    await author.cli('publish', TOPIC, '0');
    expect(await said(author, 'outbox', 'list')).toBe('');
    const carriers = [{ peer: CARRIER_NAME, account: `xmpp:${account}`, home, fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) as string }];
    expect(await author.cli('outbox', 'allow', CARRIER_NAME, '--account', account)).toEqual(carriers);
    expect(await author.cli('outbox', 'list')).toEqual(carriers);
    expect(await said(author, 'outbox', 'list')).toMatch(new RegExp(`^${CARRIER_NAME}\\txmpp:${account}\\t${home}\\t[0-9a-f]{64}\\n$`));

    await author.cli('home', 'pause', home);
    const publishing = author.run('publish', TOPIC, '-');
    publishing.child.stdin.end(Array.from({ length: WAITING }, (_, n) => `${n + 1}\n`).join(''));
    expect(await publishing.ended).toBe(0);
    const all = WAITING + 1;
    const [exported] = await author.cli('outbox', 'export', file('out'), '--for', CARRIER_NAME);
    // The first, too, as long as it has not settled.
    expect(exported).toMatchObject({ records: all, more: false });
    expect(exported).toMatchObject({ expires: expect.any(Number) as number, id: expect.any(String) as string });
    expect(await said(carrier, 'outbox', 'import', file('out'))).toMatch(new RegExp(`^${all} records: \\d+ published, \\d there already, 0 refused; its author is to be given ${file('out.confirmed')}\\n$`));
    expect(await carrier.cli('outbox', 'import', file('out'), '--confirmation', file('again'))).toMatchObject([{ id: exported?.['id'], records: all, published: 0, present: all, refused: 0, confirmation: file('again') }]);
    await using witness = new Witness(lan, SERVER, server);
    const there = async (): Promise<number[]> => {
      const ids = (await witness.of(TOPIC)).records.map(({ recordId }) => recordId);
      return [ids.length, new Set(ids).size];
    };
    expect(await there()).toEqual([all, all]);
    /** How many of the items each account was the last to send. */
    const senders = async (): Promise<Record<string, number>> => {
      const count: Record<string, number> = {};
      for (const { publisher = '' } of (await witness.of(TOPIC)).records) count[publisher] = (count[publisher] ?? 0) + 1;
      return count;
    };
    const carried = await senders();
    // All but the first, which the box may have sent before it was paused.
    expect(carried[account]).toBeGreaterThanOrEqual(WAITING);

    expect(await said(author, 'outbox', 'confirm', file('out.confirmed'))).toBe(`${all} records are at home\n`);
    expect(await author.cli('outbox', 'confirm', file('again'))).toEqual([{ id: exported?.['id'], records: all }]);
    await author.cli('home', 'resume', home);
    await online(author);
    await author.cli('publish', TOPIC, 'last');
    // Behind all that waited, in the order of the topic: whatever the box sent of it would be its own by now.
    await expect.poll(there, { interval: 500 }).toEqual([all + 1, all + 1]);
    expect(await senders()).toEqual({ ...carried, [home]: (carried[home] ?? 0) + 1 });

    expect(await author.cli('outbox', 'deny', CARRIER_NAME)).toEqual([{ denied: CARRIER_NAME }]);
    expect(await author.cli('outbox', 'list')).toEqual([]);
  }, 400_000);

  it.each<readonly [who: 'author' | 'carrier', code: number, why: string, args: readonly string[]]>([
    ['author', 2, '--for PEER is missing: whom is the file for?', ['export', 'NEW']],
    ['author', 1, 'no key is known for "nobody@h9"', ['export', 'NEW', '--for', 'nobody@h9']],
    ['author', 2, '--expires takes a span such as 90s, 15min, 12h or 7d, not "soon"', ['export', 'NEW', '--for', CARRIER_NAME, '--expires', 'soon']],
    ['carrier', 1, 'That box may not publish for this one yet: `lanpost outbox allow` says so', ['export', 'NEW', '--for', AUTHOR_NAME]],
    ['carrier', 2, 'FILE is missing', ['import']],
    ['carrier', 1, 'There is no file ', ['import', 'NONE']],
    ['carrier', 1, 'The file ends too early: it was cut off.', ['import', 'OTHER']],
    ['author', 1, 'There is no file ', ['confirm', 'NONE']],
    ['author', 1, 'That is no confirmation of a carried outbox.', ['confirm', 'OTHER']],
    ['author', 1, 'nobody@h9 is not on the link', ['allow', 'nobody@h9']],
    ['author', 1, `${CARRIER_NAME} has proven no account: say which one it publishes as`, ['allow', CARRIER_NAME]],
    ['author', 1, 'There is no home nobody@home.test.', ['allow', CARRIER_NAME, '--account', 'desk@home.test', '--home', 'nobody@home.test']],
    ['author', 1, 'nobody@h9 may not publish for this box', ['deny', 'nobody@h9']],
  ])('at the %s ends with %i and says: %s', async (who, code, why, args) => {
    writeFileSync(file('OTHER'), 'nothing of the kind\n');
    const words = args.map((word) => (/^[A-Z]+$/.test(word) ? file(word) : word));
    expect(await fails(who === 'author' ? author : carrier, 'outbox', ...words)).toContain(`ended with ${code}: lanpost: ${why}`);
    expect(existsSync(file('NEW'))).toBe(false);
  });
});
