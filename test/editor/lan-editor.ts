import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { attachBox, type Box } from '../../src/index.ts';
import { openBrowser, type Watched } from '../support/browser.ts';
import type { Lan } from '../support/lan.ts';
import { ROOT } from '../support/root.ts';
import { complaintsOf, editorLoaded, type EditorWindow } from './editor-page.ts';

export interface LanEditor extends AsyncDisposable {
  /** The box that the editor runs in. */
  readonly box: Box;
  readonly browser: Watched;
  readonly page: Page;
  /** What the page complained of. */
  complaints(): string[];
  /** What the process has printed beyond where it is to be found: warnings and errors of its nodes, too. */
  readonly warned: string;
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
  let warned = '';
  process.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    warned += text;
  });
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
    await page.goto(address, { waitUntil: 'load', timeout: 120_000 });
    await editorLoaded(page);
    // Its button is somewhere else in each Node-RED.
    await page.evaluate(() => { (globalThis as EditorWindow).RED.sidebar.show('debug'); });
    return {
      box, browser, page,
      get warned() { return warned; },
      complaints: () => complaintsOf(browser.complaints),
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
