import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser, type Watched } from '../support/browser.ts';
import { needs } from '../support/needs.ts';
import { installPacked, type Packed } from '../support/packed.ts';
import { type PlainNodeRed, startPlainNodeRed } from '../support/plain-node-red.ts';
import { chooseIn, closeDialog, complaintsOf, deploy, dragNode, importExample, openDialog, openPicker, pick, pickerOf, wireNodes, type EditorWindow } from './editor-page.ts';

const LONG = { timeout: 120_000 } as const;
const VIEWPORT = { width: 1360, height: 900 } as const;
const nodeRed = createRequire(import.meta.url)('node-red/package.json') as { readonly version: string };

/** What a person gets who installs the palette into a Node-RED of their own: not the editor of `lanpost start`. */
describe.runIf(needs('chromium'))(`the packed package in the editor of a plain Node-RED ${nodeRed.version}`, () => {
  /** Requests that came to nothing. */
  const failed: string[] = [];
  let packed: Packed;
  let plain: PlainNodeRed;
  let browser: Watched;
  let page: Page;
  let types: string[];

  beforeAll(async () => {
    packed = installPacked();
    const manifest = JSON.parse(readFileSync(join(packed.installed, 'package.json'), 'utf8')) as { 'node-red': { nodes: Record<string, string> } };
    types = Object.keys(manifest['node-red'].nodes).map((name) => name.replace('-', ' ').replace('-', ' '));
    plain = await startPlainNodeRed(packed.userDir);
    browser = await openBrowser();
    page = await open('en-US');
  }, 300_000);
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await plain?.[Symbol.asyncDispose]();
    packed?.[Symbol.dispose]();
  });

  async function open(locale: string): Promise<Page> {
    const opened = await browser.open({ locale, viewport: VIEWPORT });
    opened.on('response', (response) => { if (response.status() >= 400) failed.push(`${response.status()} ${response.url()}`); });
    opened.on('requestfailed', (request) => { if (new URL(request.url()).hostname === '127.0.0.1') failed.push(`${request.failure()?.errorText} ${request.url()}`); });
    await opened.goto(plain.url, { waitUntil: 'load', ...LONG });
    await opened.waitForFunction((wanted) => wanted.every((type) => (globalThis as EditorWindow).RED?.nodes?.getType?.(type)), types, LONG);
    await opened.locator('#red-ui-loading-progress').waitFor({ state: 'hidden', ...LONG });
    return opened;
  }

  const inPalette = (): string[] => types.filter((type) => type !== 'lanpost box');
  const debugged = (): Promise<string[]> => page.locator('.red-ui-debug-msg').allInnerTexts();
  /** What the sidebar tells of each type. */
  const helpOf = (shown: Page, all: readonly string[]): Promise<Record<string, string>> => shown.evaluate((wanted) => {
    const { RED } = globalThis as typeof globalThis & { RED: { sidebar: { help: { show(type: string): void } } } };
    return Object.fromEntries(wanted.map((type) => {
      RED.sidebar.help.show(type);
      return [type, [...document.querySelectorAll('.red-ui-sidebar-help-stack .red-ui-help')].map((one) => (one as unknown as { innerText: string }).innerText).join()];
    }));
  }, all);

  it('has a category of its own with every node, and its icon', async () => {
    const shown = await page.locator('#red-ui-palette-lanpost .red-ui-palette-node, #red-ui-palette-base-category-lanpost .red-ui-palette-node').evaluateAll((all) => all.map((one) => (one as unknown as { dataset: { paletteType: string } }).dataset.paletteType));
    expect(shown.toSorted()).toEqual(inPalette().toSorted());
    const icons = await page.locator('.red-ui-palette-node[data-palette-type^="lanpost "]').evaluateAll((all) => Promise.all(all.map(async (node) => {
      const [, url = ''] = /url\("([^"]+)"\)/.exec([...(node as unknown as { querySelectorAll(of: string): Iterable<Parameters<typeof getComputedStyle>[0]> }).querySelectorAll('.red-ui-palette-icon')].map((icon) => getComputedStyle(icon).backgroundImage).join()) ?? [];
      const image = new Image();
      image.src = url;
      await image.decode();
      return { url, width: image.naturalWidth };
    })));
    expect(icons.map(({ url }) => new URL(url).pathname).filter((path) => !/^\/icons\/lanpost\/lanpost-[a-z]+\.svg$/.test(path))).toEqual([]);
    expect(icons.filter(({ width }) => width === 0)).toEqual([]);
    expect(icons).toHaveLength(inPalette().length);
  });

  it('box, publish and subscribe are set up by their dialogs, deployed, and what is published is seen', async () => {
    await page.evaluate(() => { (globalThis as EditorWindow).RED.sidebar.show('debug'); });
    const inject = await dragNode(page, 'inject', 160, 100);
    const publish = await dragNode(page, 'lanpost publish', 420, 100);
    await openDialog(page, publish);
    await page.locator('#node-input-btn-box-add').click();
    await page.locator('#node-config-input-dir').fill('box');
    await page.locator('#node-config-input-boxName').fill('plain');
    // Of a box that an editor would run in, nothing is asked.
    expect(await page.locator('.lanpost-box-embedded').isVisible()).toBe(false);
    await chooseIn(page, page.locator('#lanpost-shown-link + .red-ui-typedInput-container'), 'false');
    expect(await page.locator('.red-ui-editor').last().innerText()).not.toMatch(/lanpost-[a-z-]+\./);
    await closeDialog(page, '#node-config-dialog-ok');
    await page.locator('#node-input-topic').fill('plain/word');
    await closeDialog(page, '#node-dialog-ok');
    // It takes the box there is.
    const subscribe = await dragNode(page, 'lanpost subscribe', 160, 220);
    const debug = await dragNode(page, 'debug', 420, 220);
    await wireNodes(page, inject, publish);
    await wireNodes(page, subscribe, debug);
    await openDialog(page, subscribe);
    await page.locator('#node-input-filter').fill('plain/#');
    await closeDialog(page, '#node-dialog-ok');
    await deploy(page);
    await expect.poll(() => subscribe.locator('.red-ui-flow-node-status-label').textContent(), LONG).toBe('received 0');
    await inject.locator('.red-ui-flow-node-button').click();
    await expect.poll(debugged, LONG).toEqual([expect.stringContaining('plain/word')]);
    await expect.poll(() => publish.locator('.red-ui-flow-node-status-label').textContent()).toBe('published 1');
  }, 240_000);

  it('the pickers list what the box has, and its dialog tests it and tells of its readers', async () => {
    const [publish] = await page.evaluate(() => (globalThis as EditorWindow).RED.nodes.filterNodes({ type: 'lanpost publish' }).map(({ id }) => id));
    await openDialog(page, page.locator(`[id="${publish}"]`));
    await page.locator('#node-input-topic').fill('');
    await pick(page, '#node-input-topic', 'plain', 'plain/word');
    expect(await page.locator('#node-input-topic').inputValue()).toBe('plain/word');
    // Nobody is on a link that is off.
    const searching = await openPicker(page, pickerOf(page, '#node-input-at'));
    await expect.poll(() => page.locator('.lanpost-picker-note').innerText()).not.toBe('');
    expect(await page.locator('.lanpost-picker-choice').count()).toBe(0);
    await page.keyboard.press('Escape');
    await searching.waitFor({ state: 'detached' });
    await page.locator('#node-input-btn-box-edit').click();
    await page.locator('#lanpost-box-test').click();
    await expect.poll(() => page.locator('#lanpost-box-tested').innerText()).toMatch(/log open/);
    await expect.poll(() => page.locator('#lanpost-box-readers').innerText()).not.toBe('');
    await closeDialog(page, '#node-config-dialog-cancel');
    await closeDialog(page, '#node-dialog-cancel');
  });

  it('every node opens its dialog', async () => {
    await page.evaluate(() => { (globalThis as EditorWindow).RED.actions.invoke('core:add-flow'); });
    for (const [at, type] of inPalette().entries()) {
      const node = await dragNode(page, type, 150 + (at % 3) * 200, 60 + Math.floor(at / 3) * 90);
      await openDialog(page, node);
      const words = await page.locator('.red-ui-editor').last().innerText();
      expect(words).toContain('Name');
      expect(words).not.toMatch(/lanpost-[a-z-]+\./);
      await closeDialog(page, '#node-dialog-cancel');
    }
  }, 240_000);

  it('the import dialog has every example, and one that is taken has no node that is unknown here', async () => {
    const files = readdirSync(join(packed.installed, 'examples/node-red')).map((name) => name.replace(/\.json$/, ''));
    expect((await importExample(page, 'dashboard')).toSorted()).toEqual(files.toSorted());
    const taken = await page.evaluate(() => (globalThis as EditorWindow).RED.nodes.filterNodes({}).map(({ type }) => type));
    expect(taken).toContain('lanpost topic');
    expect(taken).not.toContain('unknown');
  });

  it('the sidebar has help with an example for every node, in English and in German', async () => {
    const english = await helpOf(page, types);
    const german = await open('de-DE');
    const translated = await helpOf(german, types);
    expect(types.filter((type) => !/\nExample\n/.test(english[type] ?? ''))).toEqual([]);
    expect(types.filter((type) => !/\nBeispiel\n/.test(translated[type] ?? ''))).toEqual([]);
    await german.context().close();
  });

  it('nothing complained, failed, or asked outside', () => {
    expect(complaintsOf(browser.complaints)).toEqual([]);
    expect(failed).toEqual([]);
    expect(browser.offSite).toEqual([]);
    expect(plain.output.split('\n').filter((line) => /\[error\]|\[warn\] .*lanpost/.test(line))).toEqual([]);
  });
});
