import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Locator, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box, Item, SubscriptionInfo } from '../../src/index.ts';
import type { Editor } from '../../src/editor/editor.ts';
import { needs } from '../support/needs.ts';
import { chooseIn, closeDialog, complaintsOf, cramped, deploy, dragNode, editorLoaded, importText, openDialog, openPicker, pickerOf, wireNodes } from './editor-page.ts';
import { shipped } from './shipped.ts';

/** What the page's own `RED` is used for here. */
interface EditorNode { readonly id: string; readonly type: string; readonly z: string; readonly box?: string; readonly topic?: string }
interface EditorGlobal {
  RED: {
    nodes: { getType(type: string): unknown; dirty(): boolean; filterNodes(filter: { type: string }): EditorNode[]; eachConfig(each: (node: EditorNode) => void): void };
    workspaces: { show(id: string): void };
    actions: { invoke(action: string): void };
    sidebar: { show(id: string): void };
  };
}
type Window = typeof globalThis & EditorGlobal;

const wordsOf = (locale: string, type: string): Record<string, unknown> => {
  const name = type.replaceAll(' ', '-');
  return (JSON.parse(readFileSync(new URL(`../../nodes/locales/${locale}/${name}.json`, import.meta.url), 'utf8')) as Record<string, Record<string, unknown>>)[name] ?? {};
};

const OURS = ['lanpost publish', 'lanpost subscribe', 'lanpost message in', 'lanpost message out', 'lanpost peers', 'lanpost home', 'lanpost request', 'lanpost command in', 'lanpost command out', 'lanpost ack', 'lanpost gap', 'lanpost items', 'lanpost topic'];

/** So set up, a dialog shows every row that it has. */
const REVEALING: Readonly<Record<string, object>> = {
  'lanpost publish': { until: 'delivered', configVersion: 3 },
  'lanpost subscribe': { filter: 'a', from: 'time', fromValue: '0', durable: true, ack: 'manual', inFlight: '', rate: '', configVersion: 2 },
  'lanpost items': { from: 'time', count: '' },
  'lanpost ack': { action: 'nack' },
  'lanpost topic': { action: 'set', lane: 'latest' },
  'lanpost command in': { command: 'a', fields: [{ name: 'side', label: 'Which side', kind: 'list', options: '', required: 'false' }] },
};

describe.skipIf(!needs('chromium'))('the editor in a browser', () => {
  let dir: string;
  let box: Box;
  let editor: Editor;
  let browser: Browser;
  let page: Page;
  const offSite: string[] = [];
  const complaints: string[] = [];

  function watch(shown: Page): void {
    shown.on('pageerror', (error) => complaints.push(error.stack ?? String(error)));
    shown.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
    void shown.route('**/*', (route) => {
      const { protocol, hostname } = new URL(route.request().url());
      if (hostname === '127.0.0.1' || protocol === 'data:') return route.continue();
      offSite.push(hostname);
      return route.abort();
    });
  }

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'lanpost-'));
    const { createBox, startEditor } = await shipped();
    box = await createBox({ dir, link: false, control: false });
    editor = await startEditor({ box, dir, port: 0, trouble: (trouble) => void complaints.push(trouble.message) });
    browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    });
    page = await browser.newPage({ viewport: { width: 1360, height: 820 } });
    watch(page);
    await page.goto(editor.url, { waitUntil: 'load' });
    await editorLoaded(page);
    await page.evaluate(() => { (globalThis as Window).RED.sidebar.show('debug'); });
  });

  afterAll(async () => {
    await browser?.close();
    await editor?.close();
    await box?.close();
    await rm(dir, { recursive: true, force: true });
  });

  /** Newest first last, as the sidebar shows them. */
  const debugged = (name: string): Locator => page.locator('.red-ui-debug-msg', { has: page.locator('.red-ui-debug-msg-name', { hasText: name }) });

  /** Another page of whoever has the first one, for what is not to be deployed there. */
  async function another(locale = 'en-US'): Promise<Page> {
    const context = await browser.newContext({ locale, viewport: { width: 1360, height: 820 } });
    await context.addCookies(await page.context().cookies());
    const shown = await context.newPage();
    watch(shown);
    await shown.goto(editor.url, { waitUntil: 'load' });
    await editorLoaded(shown);
    return shown;
  }

  const drag = (type: string, x: number, y: number): Promise<Locator> => dragNode(page, type, x, y);
  const wire = (from: Locator, to: Locator): Promise<void> => wireNodes(page, from, to);

  async function configure(node: Locator, fields: Record<string, string>): Promise<void> {
    await openDialog(page, node);
    for (const [name, value] of Object.entries(fields)) await page.locator(`#node-input-${name}`).fill(value);
    await closeDialog(page, '#node-dialog-ok');
  }

  /** The last row of home accounts, a new one. */
  async function fillAccount(fields: Record<string, string>, password: string): Promise<void> {
    for (const [name, value] of Object.entries(fields)) await page.locator(`#lanpost-box-homes [data-field="${name}"]`).last().fill(value);
    await page.locator('#lanpost-box-homes input[type="password"]').last().fill(password);
  }

  const openBoxDialog = (on: Page = page): Promise<void> => on.evaluate(() => {
    const { RED } = globalThis as Window & { RED: { editor: { editConfig(name: string, type: string, id: string): void } } };
    let id = '';
    RED.nodes.eachConfig((node) => { if (node.type === 'lanpost box') id = node.id; });
    RED.editor.editConfig('', 'lanpost box', id);
  });

  it('has the nodes at the top of the palette, and one as configuration', async () => {
    const shown = await page.locator('.red-ui-palette-node').evaluateAll((nodes) => nodes.map((node) => (node as unknown as { dataset: { paletteType: string } }).dataset.paletteType));
    expect(shown.slice(0, OURS.length).toSorted()).toEqual(OURS.toSorted());
    expect(await page.evaluate(() => Boolean((globalThis as Window).RED.nodes.getType('lanpost box')))).toBe(true);
  });

  it('opens with the starter flow, and it runs: status and debug sidebar move', async () => {
    await page.evaluate(() => {
      const { nodes, workspaces } = (globalThis as Window).RED;
      workspaces.show(nodes.filterNodes({ type: 'lanpost publish' }).find(({ topic }) => topic === 'demo/temperature')!.z);
    });
    await debugged('temperature').nth(2).waitFor({ timeout: 30_000 });
    const canvas = page.locator('#red-ui-workspace-chart');
    await expect.poll(() => canvas.getByText(/^published \d+$/).count()).toBe(1);
    await expect.poll(() => canvas.getByText(/^received [1-9]\d*$/).count()).toBe(1);
    await expect.poll(() => canvas.getByText(/°C at/).count()).toBe(1);
    expect(await debugged('temperature').first().innerText()).toContain('Cel');
    if (process.env['LANPOST_SCREENSHOT'] === '1') {
      await debugged('temperature').nth(6).waitFor({ timeout: 30_000 });
      await page.screenshot({ path: fileURLToPath(new URL('../../docs/editor.png', import.meta.url)) });
    }
  });

  it('a flow built by dragging and wiring publishes and receives', async () => {
    await page.evaluate(() => { (globalThis as Window).RED.actions.invoke('core:add-flow'); });
    const inject = await drag('inject', 160, 120);
    const publish = await drag('lanpost publish', 420, 120);
    const subscribe = await drag('lanpost subscribe', 160, 240);
    const debug = await drag('debug', 420, 240);
    await wire(inject, publish);
    await wire(subscribe, debug);
    await configure(publish, { topic: 'built/by/hand' });
    await configure(subscribe, { filter: 'built/#' });
    const boxes = await page.evaluate(() => {
      const { nodes } = (globalThis as Window).RED;
      return ['lanpost publish', 'lanpost subscribe'].map((type) => nodes.filterNodes({ type }).map((node) => node.box));
    });
    // The one box there is was chosen without asking.
    expect(new Set(boxes.flat()).size).toBe(1);

    const follower = box.subscribe('built/#');
    await follower.ready;
    await page.locator('#red-ui-header-button-deploy').click();
    await page.waitForFunction(() => !(globalThis as Window).RED.nodes.dirty(), null, { timeout: 30_000 });
    const earlier = await page.locator('.red-ui-debug-msg').count();
    await expect.poll(() => page.locator('#red-ui-workspace-chart').getByText('received 0').count()).toBeGreaterThan(0);
    await inject.locator('.red-ui-flow-node-button').click();
    const { value } = await follower.next() as { value: Item };
    expect(value).toMatchObject({ kind: 'item', topic: 'built/by/hand', value: expect.any(Number) });
    await follower.close();
    await page.locator('.red-ui-debug-msg-topic', { hasText: 'built/by/hand' }).first().waitFor({ timeout: 30_000 });
    expect(await page.locator('.red-ui-debug-msg').count()).toBeGreaterThan(earlier);
    await expect.poll(() => publish.getByText('published 1').count()).toBe(1);
  });

  it('the picker lists the live topics, finds one by what is typed, and fills the field', async () => {
    await box.topics.create('picked/warmth', { title: 'Warmth' });
    for (const topic of ['picked/light', 'picked/sound']) await box.topics.create(topic);
    const picking = await another();
    const publish = await dragNode(picking, 'lanpost publish', 420, 360);
    await openDialog(picking, publish);
    await picking.locator('#node-input-topic').fill('typed by hand');
    const searching = await openPicker(picking, pickerOf(picking, '#node-input-topic'));
    const choices = picking.locator('.lanpost-picker-choice');
    await expect.poll(() => choices.count()).toBeGreaterThan(2);
    await searching.fill('warmth');
    await expect.poll(() => choices.allInnerTexts()).toEqual([expect.stringContaining('picked/warmth')]);
    if (process.env['LANPOST_SCREENSHOT'] === '1') await picking.screenshot({ path: fileURLToPath(new URL('../../docs/picker.png', import.meta.url)) });
    await picking.keyboard.press('ArrowDown');
    await picking.keyboard.press('Enter');
    expect(await picking.locator('#node-input-topic').inputValue()).toBe('picked/warmth');
    // Escape closes the picker, and not the dialog beneath.
    await openPicker(picking, pickerOf(picking, '#node-input-topic'));
    await choices.first().waitFor();
    await picking.keyboard.press('Escape');
    await choices.first().waitFor({ state: 'detached' });
    await closeDialog(picking, '#node-dialog-ok');
    expect(await picking.evaluate(() => (globalThis as Window).RED.nodes.filterNodes({ type: 'lanpost publish' }).map((node) => node.topic))).toContain('picked/warmth');
    await picking.context().close();
  });

  it('the box\'s dialog tests the box, grants and revokes, and keeps home accounts with their passwords', async () => {
    await openBoxDialog();
    await page.locator('#lanpost-box-test').click();
    await expect.poll(() => page.locator('#lanpost-box-tested').innerText()).toContain('log open');
    const key = 'cd'.repeat(32);
    await page.locator('#lanpost-box-peer').fill(key);
    await page.locator('#lanpost-box-right').selectOption('command');
    await page.locator('#lanpost-box-filter').fill('pump/#');
    await page.locator('#lanpost-box-allow').click();
    await expect.poll(() => page.locator('#lanpost-box-trust').innerText()).toContain('command pump/#');
    expect(await box.trust.list()).toMatchObject([{ fingerprint: key }]);
    await page.locator('.red-ui-editableList-addButton', { hasText: 'home account' }).click();
    await fillAccount({ jid: 'me@home.invalid', host: '127.0.0.1:1' }, 'hunter2');
    if (process.env['LANPOST_SCREENSHOT'] === '1') await page.screenshot({ path: fileURLToPath(new URL('../../docs/box-dialog.png', import.meta.url)) });
    await page.locator('#lanpost-box-trust button').click();
    await expect.poll(() => page.locator('#lanpost-box-trust').innerText()).not.toContain('pump/#');
    await closeDialog(page, '#node-config-dialog-ok');
    await deploy(page);
    await expect.poll(async () => (await box.homes.list()).map(({ jid }) => jid), { timeout: 30_000 }).toContain('me@home.invalid');
    // Never in the flows, which people share.
    expect(await readFile(join(dir, 'node-red', 'flows.json'), 'utf8')).not.toContain('hunter2');
  });

  it('a ninth home account has no row to be filled in: the dialog says how many there may be', async () => {
    await openBoxDialog();
    const rows = page.locator('#lanpost-box-homes > li');
    while (await rows.count() < 9) await page.locator('.red-ui-editableList-addButton', { hasText: 'home account' }).click();
    expect(await rows.nth(7).locator('[data-field="jid"]').isVisible()).toBe(true);
    expect(await rows.nth(8).innerText()).toContain('A box has at most 8 accounts here.');
    expect(await rows.nth(8).locator('[data-field="jid"]').isVisible()).toBe(false);
    await closeDialog(page, '#node-config-dialog-cancel');
  });

  it('a durable reader whose node was deleted is shown with what it keeps and since when, and is dropped', async () => {
    await page.evaluate(() => { (globalThis as Window).RED.actions.invoke('core:add-flow'); });
    const subscribe = await drag('lanpost subscribe', 200, 120);
    await openDialog(page, subscribe);
    await page.locator('#node-input-filter').fill('forgotten/#');
    await chooseIn(page, page.locator('#lanpost-shown-durable + .red-ui-typedInput-container'), 'true');
    await page.locator('#node-input-reader').fill('forgetful');
    await closeDialog(page, '#node-dialog-ok');
    await deploy(page);
    const reader = async (): Promise<SubscriptionInfo | undefined> => (await box.subscriptions.list()).find(({ name }) => name === 'forgetful');
    await expect.poll(async () => (await reader())?.readers, { timeout: 30_000 }).toBe(1);
    const row = page.locator('#lanpost-box-readers tr', { hasText: 'forgetful' });
    const dialog = async (): Promise<string> => {
      await openBoxDialog();
      return row.innerText();
    };
    // While somebody reads, there is nothing to be dropped.
    expect(await dialog()).toMatch(/forgotten\/#[^]*keeps 0 records, 0 bytes[^]*open now/);
    expect(await row.locator('button').count()).toBe(0);
    await closeDialog(page, '#node-config-dialog-cancel');

    await subscribe.click();
    await page.keyboard.press('Delete');
    const before = Date.now();
    await deploy(page);
    await expect.poll(() => complaints.some((one) => one.includes('the durable reader "forgetful" stays in the box'))).toBe(true);
    await page.locator('.red-ui-debug-msg', { hasText: 'the durable reader "forgetful" stays in the box' }).waitFor({ timeout: 20_000 });
    // That it is said is wanted here.
    expect(complaints.splice(complaints.findIndex((one) => one.includes('forgetful')), 1)).toEqual([expect.stringContaining('drop it there when nobody is to read on')]);
    for (const n of [1, 2, 3]) await box.publish('forgotten/one', `${n} ${'x'.repeat(500)}`);
    const { bytes, abandonedSince = 0 } = (await reader())!;
    expect(bytes).toBeGreaterThan(1500);
    expect(abandonedSince - before).toBeGreaterThan(-1000);
    const since = await page.evaluate((time) => new Date(time).toLocaleString(), abandonedSince);
    expect((await dialog()).split(/\t|\n/).map((cell) => cell.trim()).filter(Boolean)).toEqual(['forgetful', 'forgotten/#', `keeps 3 records, ${bytes} bytes`, `nobody since ${since}`, 'drop…']);
    if (process.env['LANPOST_SCREENSHOT'] === '1') {
      await row.scrollIntoViewIfNeeded();
      await page.screenshot({ path: join(tmpdir(), 'lanpost-left-reader.png') });
    }
    await row.locator('button', { hasText: 'drop…' }).click();
    const asked = page.locator('#lanpost-box-readers .lanpost-box-lost');
    await expect.poll(() => asked.innerText()).toBe(`What it keeps will not be read with it any more: 3 records, ${bytes} bytes. What topics keep by themselves stays in them.`);
    await page.locator('#lanpost-box-readers button', { hasText: 'Keep it' }).click();
    await asked.waitFor({ state: 'detached' });
    expect((await reader())?.bytes).toBe(bytes);
    await row.locator('button', { hasText: 'drop…' }).click();
    await page.locator('#lanpost-box-readers button', { hasText: 'Drop it' }).click();
    await row.waitFor({ state: 'detached' });
    expect(await reader()).toBeUndefined();
    await closeDialog(page, '#node-config-dialog-cancel');
  });

  it('an account whose row is taken away is shown with what waits for it, and removed when that is confirmed', async () => {
    const jid = 'left@home.invalid';
    const [listed, left] = [page.locator('#lanpost-box-homes [data-field="jid"]'), page.locator('#lanpost-box-left-homes')];
    await openBoxDialog();
    await page.locator('.red-ui-editableList-addButton', { hasText: 'home account' }).click();
    await fillAccount({ jid, host: '127.0.0.1:1', topics: 'kept/#' }, 'hunter3');
    await closeDialog(page, '#node-config-dialog-ok');
    await deploy(page);
    const known = async (): Promise<string[]> => (await box.homes.list()).map((home) => home.jid);
    await expect.poll(known, { timeout: 30_000 }).toContain(jid);
    for (const n of [1, 2, 3]) await box.publish('kept/back', n);

    await openBoxDialog();
    await expect.poll(() => listed.last().inputValue()).toBe(jid);
    expect(await left.isVisible()).toBe(false);
    await page.locator('#lanpost-box-homes .red-ui-editableList-item-remove').last().click();
    // What is deployed would add it anew.
    await expect.poll(() => left.innerText()).toMatch(/left@home\.invalid[^]*3 wait, \d+ bytes, the oldest \d+ s[^]*deploy first/);
    expect(await left.locator('button').count()).toBe(0);
    await closeDialog(page, '#node-config-dialog-ok');
    await deploy(page);
    // Said in the debug sidebar; and here, where it is nothing to complain of.
    await page.locator('.red-ui-debug-msg', { hasText: `the home account ${jid} stays in the box` }).waitFor({ timeout: 30_000 });
    expect(complaints.splice(complaints.findIndex((one) => one.includes(jid)), 1)).toEqual([expect.stringContaining('3 records wait for it')]);
    expect(await known()).toContain(jid);

    await openBoxDialog();
    await left.locator('button', { hasText: 'remove…' }).click();
    expect(await left.locator('.lanpost-box-lost').innerText()).toMatch(/^What waits will never get there: 3 records, \d+ bytes/);
    await left.locator('button', { hasText: 'Keep it' }).click();
    expect(await known()).toContain(jid);
    await left.locator('button', { hasText: 'remove…' }).click();
    await left.locator('button', { hasText: 'Remove it' }).click();
    await left.waitFor({ state: 'hidden' });
    expect(await known()).not.toContain(jid);
    await closeDialog(page, '#node-config-dialog-cancel');
  });

  it('the chat example imports without a complaint', async () => {
    const shown = await another();
    const before = await shown.evaluate(() => (globalThis as Window).RED.nodes.filterNodes({ type: 'lanpost message out' }).length);
    await importText(shown, await readFile(new URL('../../examples/node-red/chat.json', import.meta.url), 'utf8'));
    await shown.waitForFunction((known) => (globalThis as Window).RED.nodes.filterNodes({ type: 'lanpost message out' }).length === known + 2, before);
    expect(await shown.evaluate(() => (globalThis as Window).RED.nodes.filterNodes({ type: 'lanpost message out' }).every((node) => node.box))).toBe(true);
    await shown.context().close();
  });

  it('opens the dialog of every node, and its button with the list where it has one', async () => {
    const shown = await another();
    await shown.evaluate(() => { (globalThis as Window).RED.actions.invoke('core:add-flow'); });
    for (const [at, type] of OURS.entries()) {
      const node = await dragNode(shown, type, 150 + (at % 3) * 200, 60 + Math.floor(at / 3) * 90);
      await openDialog(shown, node);
      // Every word is there: a key that is not shows itself.
      expect(await shown.locator('.red-ui-editor').last().innerText()).not.toMatch(/lanpost-[a-z-]+\./);
      const buttons = shown.locator('.lanpost-pick button:visible');
      for (let n = 0; n < await buttons.count(); n++) {
        const searching = await openPicker(shown, buttons.nth(n));
        await shown.keyboard.press('Escape');
        await searching.waitFor({ state: 'detached' });
      }
      if (process.env['LANPOST_SCREENSHOT'] === '1') await shown.screenshot({ path: join(tmpdir(), `${type.replaceAll(' ', '-')}.png`) });
      await closeDialog(shown, '#node-dialog-cancel');
    }
    await shown.context().close();
  }, 180_000);

  it('says in German how nodes and box are, to who prefers that', async () => {
    const german = await another('de-DE');
    const canvas = german.locator('#red-ui-workspace-chart');
    await canvas.getByText(/^\d+ veröffentlicht$/).first().waitFor({ timeout: 60_000 });
    await canvas.getByText(/^\d+ empfangen$/).first().waitFor({ timeout: 60_000 });
    await openBoxDialog(german);
    await german.locator('#lanpost-box-test').click();
    // Of a link that is off there is no interface to name.
    await expect.poll(() => german.locator('#lanpost-box-tested').innerText()).toMatch(/Netz aus\n[^]*Log offen/);
    await german.context().close();
  });

  it.each([['English', 'en-US'], ['German', 'de']])('has room in every dialog for its words in %s', async (_language, locale) => {
    const shown = await another(locale);
    const boxId = await shown.evaluate(() => { let id = ''; (globalThis as Window).RED.nodes.eachConfig((node) => { if (node.type === 'lanpost box') id = node.id; }); return id; });
    await importText(shown, JSON.stringify([{ id: 'fff0', type: 'tab', label: 'dialogs' }, ...OURS.map((type, at) => ({ id: `fff${at + 1}`, type, z: 'fff0', x: 200, y: 60 + 40 * at, box: boxId, wires: [[], []], ...REVEALING[type] }))]));
    for (const type of OURS) {
      await shown.evaluate((wanted) => {
        const { RED } = globalThis as Window & { RED: { editor: { edit(node: EditorNode): void } } };
        RED.editor.edit(RED.nodes.filterNodes({ type: wanted }).at(-1)!);
      }, type);
      await shown.locator('#node-input-name').waitFor();
      expect([type, ...await cramped(shown, wordsOf(locale, type))]).toEqual([type]);
      await shown.evaluate(() => { (globalThis as Window).RED.actions.invoke('core:cancel-edit-tray'); });
      await shown.locator('#node-dialog-cancel').waitFor({ state: 'detached' });
    }
    await openBoxDialog(shown);
    // Of an account all of its row is seen.
    await shown.locator('.red-ui-editableList-addButton', { hasText: /home account|Home-Konto/ }).click();
    expect(await shown.locator('#lanpost-box-homes').evaluate((list) => list.closest('.red-ui-editableList-container')!.scrollHeight - list.closest('.red-ui-editableList-container')!.clientHeight)).toBe(0);
    await expect.poll(() => cramped(shown, {})).toEqual([]);
    // And of a box of its own there is more to be asked.
    await chooseIn(shown, shown.locator('#lanpost-shown-mode + .red-ui-typedInput-container'), locale === 'de' ? 'Eine eigene Box' : 'A box of its own');
    await expect.poll(() => cramped(shown, {})).toEqual([]);
    await closeDialog(shown, '#node-config-dialog-cancel');
    await shown.context().close();
  });

  it('asked nobody outside, and nothing complained', () => {
    expect(offSite).toEqual([]);
    expect(complaintsOf(complaints)).toEqual([]);
  });
});
