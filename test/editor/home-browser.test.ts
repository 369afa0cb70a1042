import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box } from '../../src/index.ts';
import type { Editor } from '../../src/editor/editor.ts';
import { openBrowser, type Watched } from '../support/browser.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';
import { closeDialog, complaintsOf, deploy, dragNode, editorLoaded, openDialog, pick, wireNodes, type EditorWindow } from './editor-page.ts';
import { shipped } from './shipped.ts';

/** What a home, and the browser, may take on a machine that others keep busy. */
const SOON = { timeout: 60_000 } as const;
const ITEMS = 120;

const inject = (id: string, payload: string, y: number): object => ({ id, type: 'inject', z: 'tab', name: payload, props: [{ p: 'payload' }], payload, payloadType: 'str', repeat: '', once: false, x: 110, y, wires: [[]] });
const debug = (id: string, name: string, complete: string, y: number): object => ({ id, type: 'debug', z: 'tab', name, active: true, tosidebar: true, complete, targetType: 'msg', x: 640, y, wires: [] });
/** What stands around the node: buttons that steer it, and what it tells of what becomes of the account. */
const AROUND: readonly object[] = [
  { id: 'tab', type: 'tab', label: 'a home' },
  { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true, homes: [] },
  inject('pause', 'pause', 60), inject('resume', 'resume', 120), inject('status', 'status', 180),
  debug('event', 'what happened', 'event', 60), debug('left', 'what is left', 'payload.left', 120), debug('answer', 'answer', 'payload.state', 180),
];

describe.runIf(needs('chromium', 'prosody'))('lanpost home in the editor, with a real home', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-home-node-'));
  let server: HomeServer;
  let box: Box;
  let editor: Editor;
  let browser: Watched;
  let page: Page;
  let jid: string;

  beforeAll(async () => {
    mkdirSync(join(dir, 'node-red'), { recursive: true, mode: 0o700 });
    writeFileSync(join(dir, 'node-red', 'flows.json'), JSON.stringify(AROUND));
    // So slow that what waits goes in the time of several looks.
    server = await createHomeServer('prosody', { env: { LIMITS: '30kb/s' } });
    // Once up, so that there is a certificate to be trusted; then down.
    await server.start();
    await server.stop();
    const { createBox, startEditor } = await shipped();
    box = await createBox({ dir, link: false, control: false });
    const { password, ...account } = server.account('edge1');
    ({ jid } = account);
    await box.homes.add({ jid, password, host: server.host, port: server.port, ca: readFileSync(server.ca, 'utf8'), topics: ['sensors/#'] });
    for (let n = 0; n < ITEMS; n++) await box.publish('sensors/attic', `${n} ${'x'.repeat(1000)}`);
    editor = await startEditor({ box, dir, port: 0, trouble: () => undefined });
    browser = await openBrowser();
    page = await browser.open({ viewport: { width: 1360, height: 820 } });
    await page.goto(editor.url, { waitUntil: 'load', ...SOON });
    await editorLoaded(page);
    await page.evaluate(() => { (globalThis as EditorWindow).RED.sidebar.show('debug'); });
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await editor?.close();
    await box?.close();
    await server?.down();
    rmSync(dir, { recursive: true, force: true });
  });

  const at = (id: string, on: Page = page): Locator => on.locator(`[id="${id}"]`);
  const press = (id: string): Promise<void> => at(id).locator('.red-ui-flow-node-button').click();
  /** What the sidebar has of one, the oldest first. */
  const debugged = async (name: string): Promise<string[]> => page.locator('.red-ui-debug-msg', { has: page.locator('.red-ui-debug-msg-name', { hasText: name }) }).locator('.red-ui-debug-msg-payload').allInnerTexts();
  /** Its words, and their dot. */
  const statusOf = async (node: Locator): Promise<string> => `${/status-((?:dot|ring)-\w+)/.exec(await node.locator('.red-ui-flow-node-status').getAttribute('class') ?? '')?.[1]} ${await node.locator('.red-ui-flow-node-status-label').textContent()}`;
  const picture = async (name: string, on: Page = page): Promise<void> => {
    if (process.env['LANPOST_SCREENSHOT'] === '1') await on.screenshot({ path: join(tmpdir(), `lanpost-home-${name}.png`) });
  };

  it('shows what waits, is paused and resumed by a message, and shows how all of it gets there', async () => {
    const node = await dragNode(page, 'lanpost home', 380, 110);
    const id = await node.getAttribute('id') ?? '';
    await openDialog(page, node);
    await pick(page, '#node-input-home', 'edge1', jid);
    await closeDialog(page, '#node-dialog-ok');
    for (const from of ['pause', 'resume', 'status']) await wireNodes(page, at(from), node);
    for (const [to, output] of [['event', 0], ['left', 0], ['answer', 1]] as const) await wireNodes(page, node, at(to), output);
    await deploy(page);

    // Nobody is there who would take it.
    await expect.poll(() => statusOf(node), SOON).toMatch(new RegExp(`^ring-yellow (?:connecting|waiting) · ${ITEMS} queued, oldest \\d+ (?:s|min)`));
    await press('pause');
    await expect.poll(() => statusOf(node), SOON).toMatch(new RegExp(`^(?:dot|ring)-grey paused · ${ITEMS} queued, oldest \\d+ (?:s|min)$`));
    await expect.poll(() => debugged('answer'), SOON).toEqual(['"paused"']);
    await picture('paused');
    const german = await browser.open({ locale: 'de-DE', viewport: { width: 1360, height: 820 } });
    await german.context().addCookies(await page.context().cookies());
    await german.goto(editor.url, { waitUntil: 'load', ...SOON });
    await editorLoaded(german);
    await expect.poll(() => statusOf(at(id, german)), SOON).toMatch(new RegExp(`^(?:dot|ring)-grey angehalten · ${ITEMS} stehen an, ältestes \\d+ (?:s|min)$`));
    await picture('paused-german', german);
    await german.context().close();

    // While it is paused, nothing goes, though somebody is there again.
    await server.start();
    await press('status');
    await expect.poll(() => debugged('answer'), SOON).toEqual(['"paused"', '"paused"']);
    expect((await box.homes.list())[0]).toMatchObject({ state: 'paused', left: ITEMS });
    const told = (await debugged('what happened')).length;
    await press('resume');
    await expect.poll(() => statusOf(node), SOON).toMatch(/^dot-green online · \d+ queued, oldest \d+ (?:s|min)$/);
    await picture('progress');
    await expect.poll(() => statusOf(node), SOON).toBe('dot-green online');
    const events = (await debugged('what happened')).slice(told);
    expect(events.filter((one) => one === '"progress"').length).toBeGreaterThan(1);
    expect(events.at(events.indexOf('"drained"') - 1)).toMatch(/"(?:progress|state)"/);
    expect(events.filter((one) => one === '"drained"')).toHaveLength(1);
    // From look to look fewer are left, and none at the end.
    const left = (await debugged('what is left')).slice(told).map((one) => (one === 'undefined' ? 0 : Number(one)));
    expect(left).toEqual(left.toSorted((a, b) => b - a));
    expect(left.at(0)).toBeGreaterThan(0);
    expect(left.at(events.indexOf('"drained"'))).toBe(0);
    await picture('drained');

    expect(browser.offSite).toEqual([]);
    expect(complaintsOf(browser.complaints)).toEqual([]);
  });
});
