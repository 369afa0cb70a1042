import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box } from '../../src/index.ts';
import type { Editor } from '../../src/editor/editor.ts';
import { openBrowser, type Watched } from '../support/browser.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';
import { chooseIn, closeDialog, complaintsOf, deploy, dragNode, editorLoaded, openDialog, pick, wireNodes, type EditorWindow } from './editor-page.ts';
import { shipped } from './shipped.ts';

const SOON = { timeout: 60_000 } as const;

const box = (id: string, mode: string, dir: string): object => ({ id, type: 'lanpost box', name: `box ${id}`, mode, dir, boxName: '', link: false, homes: [] });

/** What the test says, by the box whose dialog is open, in each language; `DIR` is the folder of all boxes here. */
const CASES: readonly (readonly [what: string, node: string, english: string, german: string])[] = [
  ['a box that is well', 'fine',
    'gate, lanpost \\S+, DIR/gate\nkey [0-9a-f]{64}\nlink off\nlog open, \\d+ topics, \\d+ MiB free\n',
    'gate, lanpost \\S+, DIR/gate\nSchlüssel [0-9a-f]{64}\nNetz aus\nLog offen, \\d+ Topics, \\d+ MiB frei\n'],
  ['a home that is well', 'fine', '\nviewer@home\\.test: online, 0 queued(?:\n|$)', '\nviewer@home\\.test: online, 0 warten(?:\n|$)'],
  ['an account with a wrong password', 'fine',
    '\nedge1@home\\.test: refused \\(the account was refused, check its name and password: not-authorized[^\n]*\\), 0 queued(?:\n|$)', '\nedge1@home\\.test: abgewiesen \\(das Konto wurde abgewiesen, Name und Passwort prüfen: not-authorized[^\n]*\\), 0 warten(?:\n|$)'],
  ['a server that nobody knows', 'fine',
    '\nbox@lost\\.test: waiting \\(lost\\.invalid:5222: (?:nobody knows an address of that name|no name server answers)\\), 0 queued(?:\n|$)',
    '\nbox@lost\\.test: wartet \\(lost\\.invalid:5222: (?:niemand kennt eine Adresse dieses Namens|kein Nameserver antwortet)\\), 0 warten(?:\n|$)'],
  ['a server where nothing listens', 'fine',
    '\nbox@shut\\.test: waiting \\(127\\.0\\.0\\.1:1: the call is refused: nothing listens there, or a firewall refuses\\), 0 queued(?:\n|$)',
    '\nbox@shut\\.test: wartet \\(127\\.0\\.0\\.1:1: der Anruf wird abgewiesen: dort hört nichts zu, oder eine Firewall weist ab\\), 0 warten(?:\n|$)'],
  ['a certificate of somebody whom it does not trust', 'fine',
    "\nedge2@home\\.test: refused \\(the server's certificate was not accepted: this box does not know the authority that signed it\\), 0 queued(?:\n|$)",
    '\nedge2@home\\.test: abgewiesen \\(das Zertifikat des Servers wurde nicht angenommen: diese Box kennt die Stelle nicht, die es unterschrieben hat\\), 0 warten(?:\n|$)'],
  ['a data directory that is in use', 'taken',
    '^locked: DIR/gate\\S* is in use by another process; stop that one first, or choose another data directory\\.$',
    '^anderswo in Gebrauch: DIR/gate\\S* ist in einem anderen Prozess in Gebrauch; den erst anhalten, oder einen anderen Datenordner wählen\\.$'],
  ['a running box that does not run', 'nobody',
    '^not-found: no box is running in DIR/empty: start one with `lanpost start --dir DIR/empty`$',
    '^nicht gefunden: in DIR/empty läuft keine Box: eine starten mit `lanpost start --dir DIR/empty`$'],
  ['a box that is not deployed yet', '', '^this box does not run here yet: deploy first$', '^diese Box läuft hier noch nicht: erst Deploy$'],
];

describe.runIf(needs('chromium', 'prosody'))('the dialog of lanpost box', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-box-test-'));
  let server: HomeServer;
  let gate: Box;
  let hall: Box;
  let editor: Editor;
  let browser: Watched;

  beforeAll(async () => {
    mkdirSync(join(dir, 'editor/node-red'), { recursive: true, mode: 0o700 });
    writeFileSync(join(dir, 'editor/node-red/flows.json'), JSON.stringify([
      { id: 'tab', type: 'tab', label: 'boxes' },
      box('fine', 'auto', ''), box('taken', 'own', join(dir, 'gate')), box('nobody', 'attach', join(dir, 'empty')),
      ...['fine', 'taken', 'nobody'].map((id, at) => ({ id: `peers ${id}`, type: 'lanpost peers', z: 'tab', box: id, only: '', x: 200, y: 60 + 60 * at, wires: [[], []] })),
    ]));
    const { createBox, startEditor } = await shipped();
    [server, gate, hall] = await Promise.all([
      createHomeServer('prosody'), createBox({ dir: join(dir, 'gate'), name: 'gate', link: false, control: false }), createBox({ dir: join(dir, 'hall'), name: 'hall', link: false }),
    ]);
    await server.start();
    const [{ host, port }, ca] = [server, readFileSync(server.ca, 'utf8')];
    await gate.homes.add({ ...server.account('viewer'), host, port, ca });
    await gate.homes.add({ jid: 'edge1@home.test', password: 'a wrong one', host, port, ca });
    await gate.homes.add({ ...server.account('edge2'), host, port });
    await gate.homes.add({ jid: 'box@lost.test', password: 'secret', host: 'lost.invalid' });
    await gate.homes.add({ jid: 'box@shut.test', password: 'secret', host: '127.0.0.1', port: 1 });
    editor = await startEditor({ box: gate, dir: join(dir, 'editor'), port: 0, trouble: () => undefined });
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await editor?.close();
    await Promise.all([gate?.close(), hall?.close()]);
    await server?.down();
    rmSync(dir, { recursive: true, force: true });
  });

  describe.each([['English', 'en-US', 2], ['German', 'de-DE', 3]] as const)('tests it in %s:', (language, locale, column) => {
    let page: Page;
    beforeAll(async () => {
      page = await browser.open({ locale, viewport: { width: 1360, height: 980 } });
      await page.goto(editor.url, { waitUntil: 'load', ...SOON });
      await editorLoaded(page);
    });
    afterAll(() => page?.context().close());

    it.each(CASES)('%s', async (...one) => {
      const [what, node] = one;
      const words = new RegExp(one[column].replaceAll('DIR', dir));
      await page.evaluate((id) => {
        const { RED } = globalThis as EditorWindow & { RED: { editor: { editConfig(name: string, type: string, id: string): void } } };
        RED.editor.editConfig('', 'lanpost box', id);
      }, node || '_ADD_');
      // What is only being added would else be the editor's own.
      if (node === '') await chooseIn(page, page.locator('#lanpost-shown-mode + .red-ui-typedInput-container'), { English: 'A box of its own', German: 'Eine eigene Box' }[language]);
      const said = page.locator('#lanpost-box-tested');
      await expect.poll(async () => {
        await page.locator('#lanpost-box-test').click();
        await expect.poll(() => said.innerText()).not.toMatch(/^…?$/);
        return said.innerText();
      }, SOON).toMatch(words);
      if (process.env['LANPOST_SCREENSHOT'] === '1') await page.screenshot({ path: join(tmpdir(), `lanpost-tested-${language}-${what.replaceAll(' ', '-')}.png`) });
      // It is seen, and none of it is cut off.
      expect(await said.evaluate((shown) => {
        const { top, bottom } = shown.getBoundingClientRect();
        return { wider: shown.scrollWidth - shown.clientWidth, under: [top + 4, bottom - 4].map((y) => document.elementFromPoint(shown.getBoundingClientRect().left + 8, y) === shown) };
      })).toEqual({ wider: 0, under: [true, true] });
      await closeDialog(page, '#node-config-dialog-cancel');
    });
  });

  it('chooses a box that runs already: its topics are in the picker, and what is published there comes to the flow', async () => {
    await hall.publish('hall/light', 'before');
    const page = await browser.open({ locale: 'en-US', viewport: { width: 1360, height: 980 } });
    await page.goto(editor.url, { waitUntil: 'load', ...SOON });
    await editorLoaded(page);
    await page.evaluate(() => { (globalThis as EditorWindow).RED.sidebar.show('debug'); });
    const [subscribe, debug] = [await dragNode(page, 'lanpost subscribe', 160, 300), await dragNode(page, 'debug', 420, 300)];
    await wireNodes(page, subscribe, debug);
    await openDialog(page, subscribe);
    await page.locator('#node-input-btn-box-add').click();
    await chooseIn(page, page.locator('#lanpost-shown-mode + .red-ui-typedInput-container'), 'A box that runs already');
    await page.locator('#node-config-input-dir').fill(join(dir, 'hall'));
    await closeDialog(page, '#node-config-dialog-ok');
    await page.locator('#node-input-filter').fill('hall/light');
    await closeDialog(page, '#node-dialog-ok');
    await deploy(page);
    await expect.poll(() => subscribe.locator('.red-ui-flow-node-status-label').textContent(), SOON).toBe('received 0');
    await openDialog(page, subscribe);
    await page.locator('#node-input-filter').fill('');
    await pick(page, '#node-input-filter', 'hall', 'hall/light');
    await closeDialog(page, '#node-dialog-cancel');
    await hall.publish('hall/light', 'switched on');
    await page.locator('.red-ui-debug-msg').getByText('switched on').waitFor(SOON);
    await page.context().close();
  });

  it('asked nobody outside, and nothing complained', () => {
    expect(browser.offSite).toEqual([]);
    // What a box that is not there answers is told in the console, too.
    expect(complaintsOf(browser.complaints).filter((one) => !/status of (?:404|503)/.test(one))).toEqual([]);
  });
});
