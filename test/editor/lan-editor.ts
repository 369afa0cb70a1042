import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { attachBox, type Box } from '../../src/index.ts';
import { openBrowser, type Watched } from '../support/browser.ts';
import type { Lan } from '../support/lan.ts';
import { ROOT } from '../support/root.ts';

/** What the page's own globals are used for here. */
export interface FlowNode { readonly id: string; readonly type: string; readonly name?: string; readonly box?: string }
interface TypedInput { typedInput(name: string, value: string): TypedInput; first(): TypedInput }
export type EditorWindow = typeof globalThis & {
  RED: {
    nodes: { getType(type: string): unknown; dirty(): boolean; filterNodes(filter: { type?: string; z?: string }): FlowNode[]; eachWorkspace(each: (tab: { id: string; label: string }) => void): void };
    sidebar: { show(id: string): void };
    actions: { invoke(action: string): void };
    workspaces: { active(): string; show(id: string): void };
  };
  $: (selector: string) => TypedInput;
};

/** COMPAT(Node-RED 5.0): where loading takes long, its tips begin before their place is on the page. */
const TIPS = /^TypeError: Cannot read properties of undefined \(reading 'html'\)\n +at \w+ \(http:\S+\/red\/red\.min\.js\?[^\n]*$/;

export interface LanEditor extends AsyncDisposable {
  /** The box that the editor runs in. */
  readonly box: Box;
  readonly browser: Watched;
  readonly page: Page;
  /** What the page complained of. */
  complaints(): string[];
}

/** `lanpost start` on a host of a LAN, with its editor in a browser there: no flow, and the debug sidebar open. */
export async function openLanEditor(lan: Lan, host: number, dir: string): Promise<LanEditor> {
  // Without the starter flow: what is debugged here is ours.
  mkdirSync(join(dir, 'node-red'), { recursive: true, mode: 0o700 });
  writeFileSync(join(dir, 'node-red', 'flows.json'), '[]');
  const process = lan.exec(host, globalThis.process.execPath, [join(ROOT, 'dist/src/cli/main.js'), 'start', '--name', lan.hostName(host), '--editor-port', '0', '--dir', dir]);
  const end = async (): Promise<void> => {
    if (process.exitCode !== null) return;
    process.kill('SIGKILL');
    await once(process, 'close');
  };
  let said = '';
  process.stderr.on('data', (text: Buffer) => { said += text.toString(); });
  try {
    // As it goes on, what it says has to be read.
    const address = await new Promise<string>((resolve, reject) => {
      process.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        const [, url] = /^editor +(http:\S+)[^]*^ready/m.exec(said) ?? [];
        if (url !== undefined) resolve(url);
      });
      process.once('close', () => reject(new Error(said)));
    });
    const box = await attachBox({ dir });
    const browser = await openBrowser({ namespace: lan.namespace(host) });
    const page = await browser.open({ viewport: { width: 1600, height: 1000 } });
    await page.goto(address, { waitUntil: 'load' });
    await page.waitForFunction(() => (globalThis as EditorWindow).RED?.nodes?.getType?.('lanpost command out') && document.querySelectorAll('.red-ui-palette-node').length > 10, null, { timeout: 60_000 });
    await page.locator('#red-ui-loading-progress').waitFor({ state: 'hidden', timeout: 60_000 });
    // Its button is somewhere else in each Node-RED.
    await page.evaluate(() => { (globalThis as EditorWindow).RED.sidebar.show('debug'); });
    return {
      box, browser, page,
      complaints: () => browser.complaints.filter((one) => !TIPS.test(one)),
      async [Symbol.asyncDispose]() {
        await browser[Symbol.asyncDispose]();
        await box.close();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Deploys, and waits until that is done. */
export async function deploy(page: Page): Promise<void> {
  await page.locator('#red-ui-header-button-deploy').click();
  await page.waitForFunction(() => !(globalThis as EditorWindow).RED.nodes.dirty(), null, { timeout: 60_000 });
}
