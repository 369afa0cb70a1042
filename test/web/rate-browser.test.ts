import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFront, type Front } from '../../src/front/front.ts';
import { createBox, type Box } from '../../src/index.ts';
import { openStatusPage, type StatusPage } from '../../src/web/status-page.ts';
import { openBrowser, type Watched } from '../support/browser.ts';
import { needs } from '../support/needs.ts';

/** Items a second. From ten on the page says whole numbers. */
const FAST = 12;
const SLOW = 2;
/** Seconds: a rate is told over the last eight, so what was before them is a hundredth of it then. */
const LONG = 40;
/** What the page has said of rates, from the first on: nobody who asks now and then sees that it was once another. */
const KEPT = 'rates-said';

/** Beside what the box counts stands what the page makes of it; here one knows what was published, and when. */
describe.runIf(needs('chromium'))('the rate on the status page', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-rate-'));
  let box: Box;
  let front: Front;
  let status: StatusPage;
  let browser: Watched;
  let page: Page;
  let german: Page;

  beforeAll(async () => {
    box = await createBox({ dir, link: false, control: false });
    front = await openFront({ dir, port: 0 });
    status = openStatusPage({ box, front });
    await box.topics.create('fast');
    await box.topics.create('slow');
    await box.topics.create('quiet');
    browser = await openBrowser();
    // The one in German is of who has English menus, and prefers German pages.
    [page, german] = await Promise.all([browser.open({ locale: 'en-US' }), browser.open({ locale: 'en-US', extraHTTPHeaders: { 'accept-language': 'de, en;q=0.5' } })]);
    for (const one of [page, german]) {
      await one.goto(status.url);
      await one.locator('#topic-rows > tr').nth(2).waitFor();
      await one.evaluate((name) => {
        const said: string[] = [];
        Object.assign(globalThis, { [name]: said });
        new MutationObserver(() => { said.push(document.querySelector('#topic-rows > tr .rate span')?.textContent ?? ''); }).observe(document.querySelector('#topic-rows > tr .rate span') ?? document, { childList: true });
      }, KEPT);
    }
  });

  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    status?.close();
    await front?.close();
    await box?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** `rate` a second until it is over, each when its time has come: one that was late does not make the next late. */
  function publishEvenly(topic: string, rate: number, over: AbortSignal): { readonly published: () => number; readonly long: Promise<void> } {
    let published = 0;
    const long = new Promise<void>((resolve, reject) => {
      const began = performance.now();
      const timer = setInterval(() => {
        for (; performance.now() - began >= published * 1000 / rate; published++) box.publish(topic, published).catch(reject);
        if (published >= LONG * rate) resolve();
      }, 5);
      over.addEventListener('abort', () => clearInterval(timer));
    });
    return { published: () => published, long };
  }

  const rateOf = (where: Page, topic: string): Promise<string> => where.locator('#topic-rows > tr', { hasText: topic }).locator('.rate').innerText();
  const said = (where: Page): Promise<string[]> => Promise.all([rateOf(where, 'fast'), rateOf(where, 'slow'), rateOf(where, 'quiet'), where.locator('#tile-topics-more').innerText()]);

  it('is what was published in that time, of each topic and of all, as people write it', async () => {
    const over = new AbortController();
    try {
      const [fast, slow] = [publishEvenly('fast', FAST, over.signal), publishEvenly('slow', SLOW, over.signal)];
      await Promise.all([fast.long, slow.long]);
      // Two come between two looks, for once three. Who looks while the disk was busy looks again.
      const shown = (point: string, altogether: string): unknown => ['12/s', expect.stringMatching(new RegExp(`^(1\\${point}9|2\\${point}[01])/s$`)), '–', `14/s ${altogether}`];
      await expect.poll(() => said(page)).toEqual(shown('.', 'altogether'));
      await expect.poll(() => said(german)).toEqual(shown(',', 'insgesamt'));
      over.abort();
      // The making of a topic is a record, too.
      await expect.poll(async () => (await box.topics.list()).map(({ name, records }) => [name, records - 1])).toEqual([['fast', fast.published()], ['quiet', 0], ['slow', slow.published()]]);
    } finally {
      over.abort();
    }
  });

  it('was never much more than that', async () => {
    const seen = await page.evaluate((name) => (globalThis as unknown as Record<string, string[]>)[name] ?? [], KEPT);
    expect(seen.length).toBeGreaterThan(8);
    expect(Math.max(...seen.map(Number.parseFloat))).toBeLessThan(FAST * 1.9);
  });

  it('asked nobody outside, and nothing complained', () => {
    expect([browser.offSite, browser.complaints]).toEqual([[], []]);
  });
});
