import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box, Item } from '../../src/index.ts';
import type { Editor } from '../../src/editor/editor.ts';
import { openBrowser, type Watched } from '../support/browser.ts';
import { needs } from '../support/needs.ts';
import { closeDialog, complaintsOf, deploy, importText, openDialog, type EditorWindow } from './editor-page.ts';
import { shipped } from './shipped.ts';

const LONG = { timeout: 60_000 } as const;
const on = { z: '0ld00000000000aa', box: '0ld00000000000bb' };
/** As the first versions saved them: without what they did not know, and the newest of them with the number of its version. */
const OLD = [
  { id: '0ld00000000000aa', type: 'tab', label: 'An old flow' },
  { id: '0ld00000000000bb', type: 'lanpost box', name: 'old box', mode: 'auto', dir: '', boxName: '', link: true, homes: [] },
  { ...on, id: '0ld0000000000001', type: 'lanpost subscribe', name: 'no version', filter: 'old/#', from: 'new', durable: false, reader: '', ack: 'auto', inFlight: '64', x: 160, y: 60, wires: [[]] },
  { ...on, id: '0ld0000000000002', type: 'lanpost subscribe', name: 'version 1', filter: 'old/#', from: 'new', fromValue: '', durable: false, reader: '', ack: 'auto', inFlight: '64', form: 'auto', configVersion: 1, x: 160, y: 120, wires: [[]] },
  { ...on, id: '0ld0000000000003', type: 'lanpost publish', name: 'no version', topic: 'old/filled-in', itemId: '', contentType: '', x: 400, y: 60, wires: [] },
  { ...on, id: '0ld0000000000004', type: 'lanpost publish', name: 'version 2', topic: 'old/filled-in', itemId: '', form: 'auto', contentType: '', expires: '', at: '', configVersion: 2, x: 400, y: 120, wires: [] },
  { ...on, id: '0ld0000000000005', type: 'lanpost message in', name: 'version 1', from: '', reader: '', configVersion: 1, x: 160, y: 240, wires: [[]] },
  { id: '0ld0000000000006', z: on.z, type: 'inject', name: 'go', props: [{ p: 'payload' }, { p: 'topic', vt: 'str' }], topic: 'old/of-the-message', payload: 'it', payloadType: 'str', repeat: '', once: false, x: 160, y: 180, wires: [['0ld0000000000003', '0ld0000000000004']] },
];
type Saved = Readonly<Record<string, unknown>>;

describe.runIf(needs('chromium'))('a flow that an earlier version saved, in the editor', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-old-flow-'));
  let box: Box;
  let editor: Editor;
  let browser: Watched;
  let page: Page;

  beforeAll(async () => {
    // Without the starter flow.
    mkdirSync(join(dir, 'node-red'), { recursive: true, mode: 0o700 });
    writeFileSync(join(dir, 'node-red', 'flows.json'), '[]');
    const { createBox, startEditor } = await shipped();
    box = await createBox({ dir, link: false, control: false });
    editor = await startEditor({ box, dir, port: 0, trouble: () => undefined });
    browser = await openBrowser();
    page = await browser.open({ viewport: { width: 1360, height: 820 } });
    await page.goto(editor.url, { waitUntil: 'load', ...LONG });
    await page.waitForFunction(() => (globalThis as EditorWindow).RED?.nodes?.getType?.('lanpost topic'), null, LONG);
    await page.locator('#red-ui-loading-progress').waitFor({ state: 'hidden', ...LONG });
    await importText(page, JSON.stringify(OLD));
    await page.evaluate(() => {
      const { RED } = globalThis as EditorWindow;
      RED.nodes.eachWorkspace(({ id, label }) => { if (label === 'An old flow') RED.workspaces.show(id); });
    });
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await editor?.close();
    await box?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** As it is in the flows that are deployed. */
  const saved = (type: string, name: string): Saved | undefined => (JSON.parse(readFileSync(join(dir, 'node-red', 'flows.json'), 'utf8')) as Saved[]).find((node) => node['type'] === type && node['name'] === name);
  async function drawn(type: string, name: string): Promise<Locator> {
    const id = await page.evaluate((wanted) => (globalThis as EditorWindow).RED.nodes.filterNodes({ type: wanted.type }).find((node) => node.name === wanted.name)!.id, { type, name });
    return page.locator(`[id="${id}"]`);
  }
  const open = async (type: string, name: string): Promise<void> => openDialog(page, await drawn(type, name));
  const shown = (field: string): Promise<string> => page.locator(`#node-input-${field}`).inputValue();
  /** What a choice shows in words. */
  const inWords = (field: string): Promise<string> => page.locator(`#lanpost-shown-${field} + .red-ui-typedInput-container`).innerText();
  const topicsOfOnePress = async (): Promise<(string | undefined)[]> => {
    const follower = box.subscribe('old/#');
    await follower.ready;
    await (await drawn('inject', 'go')).locator('.red-ui-flow-node-button').click();
    const topics = [(await follower.next()).value as Item, (await follower.next()).value as Item].map(({ topic }) => topic);
    await follower.close();
    return topics;
  };

  it('does what it did, deployed as it is', async () => {
    await deploy(page);
    expect(await topicsOfOnePress()).toEqual(['old/filled-in', 'old/filled-in']);
    expect(saved('lanpost publish', 'version 2')).toMatchObject({ configVersion: 2 });
    expect(saved('lanpost publish', 'no version')).not.toHaveProperty('configVersion');
  });

  it.each(['no version', 'version 1'])('lanpost subscribe of %s has no last values and no pace, in its dialog and after it', async (name) => {
    await open('lanpost subscribe', name);
    expect([await shown('last'), await shown('rate'), await shown('filter'), await shown('inFlight')]).toEqual(['none', '0', 'old/#', '64']);
    expect(await inWords('last')).toContain('no last values');
    await closeDialog(page, '#node-dialog-ok');
    await deploy(page);
    expect(saved('lanpost subscribe', name)).toMatchObject({ configVersion: 2, last: 'none', rate: '0', from: 'new', ack: 'auto', inFlight: '64', filter: 'old/#' });
  });

  it.each(['no version', 'version 2'])('in lanpost publish of %s what is filled in goes first, in its dialog and after it', async (name) => {
    await open('lanpost publish', name);
    expect([await shown('prefer'), await shown('until'), await shown('topic')]).toEqual(['node', 'accepted', 'old/filled-in']);
    expect(await inWords('prefer')).toContain('what is filled in here');
    await closeDialog(page, '#node-dialog-ok');
    await deploy(page);
    expect(saved('lanpost publish', name)).toMatchObject({ configVersion: 3, prefer: 'node', until: 'accepted', topic: 'old/filled-in' });
  });

  it('the reader of lanpost message in begins with all that is kept, in its dialog and after it', async () => {
    await open('lanpost message in', 'version 1');
    expect(await shown('begin')).toBe('start');
    await closeDialog(page, '#node-dialog-cancel');
    // Only looked at, it is as old as it was.
    expect(await page.evaluate(() => (globalThis as EditorWindow).RED.nodes.filterNodes({ type: 'lanpost message in' }))).toContainEqual(expect.objectContaining({ name: 'version 1', configVersion: 1 }));
    await open('lanpost message in', 'version 1');
    await closeDialog(page, '#node-dialog-ok');
    await deploy(page);
    expect(saved('lanpost message in', 'version 1')).toMatchObject({ configVersion: 2, begin: 'start' });
  });

  it('still does what it did, once all of it is saved anew', async () => {
    expect(await topicsOfOnePress()).toEqual(['old/filled-in', 'old/filled-in']);
  });

  it('what is taken back is old again: no new version without its values', async () => {
    await importText(page, JSON.stringify(OLD.filter(({ id }) => id === '0ld0000000000004').map((node) => ({ ...node, id: '0ld0000000000007', name: 'taken back' }))));
    // What is pasted hangs at the mouse until it is put down.
    await page.mouse.click(700, 400);
    await open('lanpost publish', 'taken back');
    await closeDialog(page, '#node-dialog-ok');
    const now = (): Promise<Saved[]> => page.evaluate(() => (globalThis as EditorWindow).RED.nodes.filterNodes({ type: 'lanpost publish' }).filter(({ name }) => name === 'taken back').map((node) => ({ prefer: (node as unknown as Saved)['prefer'], configVersion: (node as unknown as Saved)['configVersion'] })));
    expect(await now()).toEqual([{ prefer: 'node', configVersion: 3 }]);
    await page.evaluate(() => { (globalThis as EditorWindow).RED.actions.invoke('core:undo'); });
    expect(await now()).toEqual([{ configVersion: 2 }]);
  });

  it('complained of nothing', () => {
    expect(browser.offSite).toEqual([]);
    expect(complaintsOf(browser.complaints)).toEqual([]);
  });
});
