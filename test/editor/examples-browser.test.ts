import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box } from '../../src/index.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { eventually } from '../support/eventually.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { deploy, importExample, type EditorWindow } from './editor-page.ts';
import { openLanEditor, type LanEditor } from './lan-editor.ts';

/** How long what a flow does may take on a machine that others keep busy. */
const SOON = { timeout: 30_000 } as const;

/** The example flows as a person takes them: from the menu, deployed, their buttons pressed; with another box on the link. */
describe.runIf(needs('root', 'chromium'))('the example flows in the editor, with a second box', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-examples-'));
  let lan: Lan;
  let editor: LanEditor;
  let gate: Box;
  let hall: Box;
  let other: BoxProcess;
  let page: Page;

  beforeAll(async () => {
    lan = await createLan(2, { names: ['gate', 'hall'] });
    other = await startBox({ dir: join(dir, 'hall'), name: 'hall', lan, host: 2 });
    hall = await other.attach();
    editor = await openLanEditor(lan, 1, join(dir, 'gate'));
    ({ box: gate, page } = editor);
    await eventually(async () => (await gate.peers.list()).length === 1 && (await hall.peers.list()).length === 1, { within: 90_000 });
    for (const right of ['read', 'command'] as const) await hall.trust.allow('gate@gate', right, '#');
    await gate.trust.allow('hall@hall', 'write', 'counter/#');
    await hall.commands.offer('lamp/on', () => true, { title: 'Turn the lamp on' });
    await hall.topics.create('hall/temperature', { title: 'Temperature of the hall' });
    await gate.homes.add({ jid: 'gate@home.test', password: 'secret', host: lan.address(2), port: 9, topics: ['plant/#'] });
  }, 400_000);

  afterAll(async () => {
    await hall?.close();
    await editor?.[Symbol.asyncDispose]();
    await other?.stop();
    await lan?.down();
    rmSync(dir, { recursive: true, force: true });
  });

  /** The node of that name, or type, on the tab that is shown. */
  async function node(name: string): Promise<Locator> {
    const id = await page.evaluate((wanted) => {
      const { RED } = globalThis as EditorWindow;
      return RED.nodes.filterNodes({ z: RED.workspaces.active() }).find((one) => one.name === wanted || one.type === wanted)?.id;
    }, name);
    if (id === undefined) throw new Error(`there is no node ${name} on this tab`);
    return page.locator(`[id="${id}"]`);
  }
  const press = async (name: string): Promise<void> => (await node(name)).locator('.red-ui-flow-node-button').click();
  const status = async (name: string): Promise<string | null> => (await node(name)).locator('.red-ui-flow-node-status-label').textContent();
  /** All that the sidebar has of it. */
  const debugged = async (name: string): Promise<string> => (await page.locator('.red-ui-debug-msg', { has: page.locator('.red-ui-debug-msg-name', { hasText: name }) }).allInnerTexts()).join('\n');
  /** Who has written that to the hall. */
  const written = async (words: string): Promise<string | undefined> => {
    for await (const { body, from } of hall.messages({ name: 'test', signal: AbortSignal.timeout(SOON.timeout) })) if (body.startsWith(words)) return from;
    return undefined;
  };
  const picture = async (name: string): Promise<void> => {
    if (process.env['LANPOST_SCREENSHOT'] !== '1') return;
    await page.locator('.red-ui-notification:visible').first().waitFor({ state: 'hidden' });
    await page.screenshot({ path: fileURLToPath(new URL(`../../docs/example-${name}.png`, import.meta.url)), clip: { x: 0, y: 0, width: 1600, height: 620 } });
  };

  /** From the list of examples, into new tabs, of which the first is shown. */
  async function bring(name: string, label: string): Promise<void> {
    await importExample(page, name);
    const tab = await page.waitForFunction((wanted) => {
      let id: string | undefined;
      (globalThis as EditorWindow).RED.nodes.eachWorkspace((one) => { if (one.label === wanted) id = one.id; });
      return id;
    }, label, SOON);
    await page.evaluate((id) => { (globalThis as EditorWindow).RED.workspaces.show(id!); }, await tab.jsonValue());
    await deploy(page);
    expect(await page.locator('.red-ui-notification-error, .red-ui-flow-node-error:visible').count()).toBe(0);
  }

  it('hello-lan: who is here is shown, greeted, and heard', async () => {
    await bring('hello-lan', 'Hello, LAN');
    await expect.poll(() => debugged('who is here'), SOON).toMatch(/hall@hall/);
    await press('say hello');
    expect(await written('Hello, hall!')).toBe('link:gate@gate');
    await hall.send('link:gate@gate', 'hello from the hall');
    await expect.poll(() => debugged('they say'), SOON).toMatch(/hello from the hall/);
  });

  it('chat: whoever writes is answered, and who is written to has it', async () => {
    await bring('chat', 'Chat');
    // It begins with what comes.
    await expect.poll(() => status('lanpost message in'), SOON).toMatch(/^received 0/);
    await hall.send('link:gate@gate', 'anybody?');
    expect(await written('You wrote "anybody?"')).toBe('link:gate@gate');
    await expect.poll(() => debugged('who wrote what'), SOON).toMatch(/anybody\?/);
    await press('who is here?');
    await expect.poll(() => debugged('peers'), SOON).toMatch(/array\[1\]/);
  });

  it('command-and-reply: an answer, and why there is none', async () => {
    await bring('command-and-reply', 'Command and reply');
    await expect.poll(() => status('lanpost command in'), SOON).toMatch(/offered/);
    await press('21');
    await expect.poll(() => debugged('the answer'), SOON).toMatch(/42/);
    await press('a word');
    await expect.poll(() => debugged('no answer, why'), SOON).toMatch(/that is n/);
  });

  it('discovery-by-feature: whose commands there are, and whose topics', async () => {
    await bring('discovery-by-feature', 'Discovery by feature');
    await press('who takes commands?');
    await expect.poll(() => debugged('its commands'), SOON).toMatch(/lamp\/on|array\[[1-9]/);
    await press('who has temperatures?');
    await expect.poll(() => debugged('who has temperatures'), SOON).toMatch(/array\[1\]/);
  });

  it('sensor-home: readings are handled; they wait when the road is cut', async () => {
    await bring('sensor-home', 'Sensor to home');
    await expect.poll(() => status('handle it'), SOON).toMatch(/handled, last/);
    await press('cut the road home');
    await expect.poll(() => status('in words'), SOON).toMatch(/^paused, [1-9]\d* waiting/);
    await picture('sensor-home');
    await press('mend it');
    await expect.poll(() => status('in words'), SOON).toMatch(/^(connecting|waiting), [1-9]\d* waiting/);
  });

  it('dashboard: a panel that was away has the present state when it is back', async () => {
    await bring('dashboard', 'Latest-wins dashboard');
    await expect.poll(() => status('how it is set up'), SOON).toMatch(/demo\/lamps: latest/);
    await expect.poll(() => status('how it is now'), SOON).toMatch(/^\d+ came: /);
    await press('panel goes away');
    await expect.poll(() => status('panel'), SOON).toMatch(/^paused/);
    await press('panel comes back');
    await expect.poll(() => status('panel'), SOON).toMatch(/^received/);
    await picture('dashboard');
  });

  it('counter: what another box adds is counted here', async () => {
    await bring('counter', 'Counter: the box that counts');
    await expect.poll(() => status('set up the sum'), SOON).toMatch(/^did 1/);
    await hall.publish('counter/add', 5, { at: 'gate@gate' });
    await expect.poll(async () => (await gate.items('counter/value', { last: 1 }))[0], SOON).toMatchObject({ value: { sum: 5 } });
  });

  it('starter: a reading each second', async () => {
    await bring('starter', 'Hello, lanpost');
    await expect.poll(() => status('what came'), SOON).toMatch(/°C at/);
  });

  it('nothing complained, in no page and in no flow', () => {
    expect(editor.browser.offSite).toEqual([]);
    expect(editor.complaints()).toEqual([]);
    expect(editor.warned).toBe('');
  });
});
