// Commands by way of real servers: between boxes with accounts there, and from a client that logs in with nothing but XMPP.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { createBox, type Box } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';

const run = promisify(execFile);
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function boxOf(server: HomeServer, name: 'edge1' | 'edge2'): Promise<{ readonly box: Box; readonly at: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-commands-'));
  closers.push(async () => { rmSync(dir, { recursive: true }); });
  const account = server.account(name);
  const box = await createBox({ dir, link: false, control: false, homes: [{ ...account, host: server.host, port: server.port, ca: readFileSync(server.ca, 'utf8') }] });
  closers.push(() => box.close());
  await eventually(async () => (await box.homes.list())[0]?.state === 'online', { within: 30_000 });
  return { box, at: `xmpp:${account.jid}/lanpost-${(await box.status()).box.slice(0, 8)}` };
}

/** What slixmpp says, logged in as anybody would be. */
const CLIENT = `
import asyncio, json, ssl, sys
import slixmpp
jid, password, host, port, to, node = sys.argv[1:7]
class Client(slixmpp.ClientXMPP):
    def __init__(self):
        super().__init__(jid, password)
        self.ssl_context.check_hostname = False
        self.ssl_context.verify_mode = ssl.CERT_NONE
        for plugin in ["xep_0004", "xep_0030", "xep_0050"]:
            self.register_plugin(plugin)
        self.add_event_handler("session_start", self.started)
    async def started(self, _):
        commands = self["xep_0050"]
        said = {}
        for name, ask in [("list", lambda: commands.get_commands(to, timeout=10)), ("run", lambda: commands.send_command(to, node, action="execute", timeout=10))]:
            try:
                said[name] = str(await ask())
            except slixmpp.exceptions.IqError as error:
                said[name] = "error " + error.condition
        print(json.dumps(said), flush=True)
        await self.disconnect()
client = Client()
client.connect((host, int(port)))
client.process(forever=False)
`;

describe.each(['prosody', 'ejabberd'] as const)('by way of %s', (kind) => {
  describe.skipIf(!needs(kind))('a real home', () => {
    it('boxes run each other\'s commands, up to what their owners let accounts do', async () => {
      await using server = await createHomeServer(kind);
      await server.start();
      const [one, two] = [await boxOf(server, 'edge1'), await boxOf(server, 'edge2')];
      await one.box.commands.offer('echo', ({ value, from, trust }) => ({ value, from: from ?? '', trust }), { title: 'Echo' });
      await expect(two.box.commands.run(one.at, 'echo', 1)).rejects.toMatchObject({ code: 'forbidden' });
      expect(await two.box.commands.list(one.at)).toEqual([]);
      await one.box.trust.allow(`xmpp:${server.account('edge2').jid}`, 'command', 'echo');
      expect(await two.box.commands.list(one.at)).toEqual([{ name: 'echo', title: 'Echo' }]);
      for (const value of [0, 'text', { a: [null] }, Uint8Array.of(7)]) {
        expect(await two.box.commands.run(one.at, 'echo', value)).toEqual({ value, from: two.at, trust: 'none' });
      }
      await expect(two.box.commands.run(one.at, 'echo', 'x'.repeat(250_000))).rejects.toMatchObject({ code: 'too-large' });
      expect(await two.box.request(`xmpp:${server.domain}`, "<query xmlns='jabber:iq:version'/>", { timeout: 20_000 })).toMatch(/prosody|ejabberd/i);
      await expect(two.box.request(`xmpp:nobody@${server.domain}/nowhere`, "<query xmlns='jabber:iq:version'/>", { timeout: 20_000 })).rejects.toMatchObject({ code: expect.stringMatching(/unsupported|unreachable|not-found/) });
      await expect(two.box.commands.run(one.at, 'none', 1)).rejects.toMatchObject({ code: 'forbidden' });
    }, 240_000);

    it.skipIf(!needs('python3-slixmpp'))('a client that none of us wrote finds and runs what it may', async () => {
      await using server = await createHomeServer(kind);
      await server.start();
      const { box, at } = await boxOf(server, 'edge1');
      const viewer = server.account('viewer');
      const script = join(mkdtempSync(join(tmpdir(), 'lanpost-client-')), 'client.py');
      closers.push(async () => { rmSync(join(script, '..'), { recursive: true }); });
      writeFileSync(script, CLIENT);
      const client = async (): Promise<{ list: string; run: string }> => {
        const { stdout } = await run('/usr/bin/python3', [script, viewer.jid, viewer.password, server.host, String(server.port), at.slice('xmpp:'.length), 'pump/state'], { timeout: 60_000 });
        return JSON.parse(stdout) as { list: string; run: string };
      };
      await box.commands.offer('pump/state', ({ from }) => `all is well, ${from?.split('/')[0]}`, { title: 'How is the pump?' });
      expect((await client()).run).toBe('error forbidden');
      await box.trust.allow(`xmpp:${viewer.jid}`, 'command', 'pump/#');
      const { list, run: answer } = await client();
      expect(list).toMatch(/name="How is the pump\?"/);
      expect(answer).toContain(`<note type="info">all is well, xmpp:${viewer.jid}</note>`);
    }, 240_000);
  });
});
