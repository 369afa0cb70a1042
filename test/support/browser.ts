import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';

/** A browser that tells of everything that a page complains of, and lets nothing out of this machine. */
export interface Watched extends AsyncDisposable {
  readonly browser: Browser;
  /** Errors in consoles and scripts, of all pages. */
  readonly complaints: string[];
  /** Hosts that a page would have asked. */
  readonly offSite: string[];
  open(options?: BrowserContextOptions): Promise<Page>;
}

/** `namespace`: the network in which it runs; its loopback is that host's. */
export async function openBrowser({ namespace, homely = ['127.0.0.1'] }: { readonly namespace?: string; readonly homely?: readonly string[] } = {}): Promise<Watched> {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-browser-'));
  let executablePath = CHROMIUM;
  if (namespace !== undefined) {
    executablePath = join(dir, 'chromium');
    writeFileSync(executablePath, `#!/bin/sh\nexec ip netns exec ${namespace} ${CHROMIUM} "$@"\n`);
    chmodSync(executablePath, 0o755);
  }
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  const complaints: string[] = [];
  const offSite: string[] = [];
  return {
    browser, complaints, offSite,
    async open(options = {}) {
      const page = await (await browser.newContext(options)).newPage();
      page.on('pageerror', (error) => complaints.push(error.stack ?? String(error)));
      page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) complaints.push(message.text()); });
      await page.route('**/*', (route) => {
        const { protocol, hostname } = new URL(route.request().url());
        if (homely.includes(hostname) || protocol === 'data:') return route.continue();
        offSite.push(hostname);
        return route.abort();
      });
      return page;
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
