import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box } from '../../src/index.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { openBrowser, type Watched } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';

/** As long as owners make them, and without a place to break the line at. */
const OURS = 'Greenhouse_control_north_wing';
const THEIRS = 'Gewächshaus_Südflügel_unten';
const HOSTS = ['gardencentreentrance', 'nurseryatthelakeside'];
const READER = 'archive_of_everything_that_is_measured_in_the_greenhouse';
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

/** Two owners with a telephone each; one of them has it in German. */
describe.runIf(needs('root', 'chromium'))('the status page on telephones', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-phone-'));
  let lan: Lan;
  let ours: BoxProcess;
  let theirs: BoxProcess;
  let box: Box;
  let browsers: Watched[] = [];
  let page: Page;
  let german: Page;

  beforeAll(async () => {
    lan = await createLan(2, { names: HOSTS });
    ours = await startBox({ dir: join(dir, 'ours'), name: OURS, lan, host: 1, args: ['--status-port', '0'] });
    theirs = await startBox({ dir: join(dir, 'theirs'), name: THEIRS, lan, host: 2, args: ['--status-port', '0'] });
    box = await ours.attach();
    await box.subscribe('sensors/#', { durable: READER, from: 'start' }).close();
    // So many that the peers are not on the first screen.
    for (let n = 0; n < 12; n++) await box.publish(`sensors/bed${n}`, { value: 21.5, unit: 'Cel' });
    const there = await theirs.attach();
    for (let n = 0; n < 12; n++) await there.publish(`sensors/bed${n}`, { value: 21.5, unit: 'Cel' });
    await there.close();
    const open = async (one: BoxProcess, host: number, locale: string): Promise<Page> => {
      await eventually(async () => one.output.includes('\nready'));
      const browser = await openBrowser({ namespace: lan.namespace(host) });
      browsers = [...browsers, browser];
      const shown = await browser.open({ ...PHONE, locale });
      await shown.goto(/status +(\S+)/.exec(one.output)?.[1] ?? '');
      await shown.locator('#live.on').waitFor();
      return shown;
    };
    page = await open(ours, 1, 'en-US');
    german = await open(theirs, 2, 'de-DE');
  });

  afterAll(async () => {
    for (const browser of browsers) await browser[Symbol.asyncDispose]();
    await box?.close();
    await Promise.all([ours?.stop(), theirs?.stop()]);
    await lan?.down();
    rmSync(dir, { recursive: true, force: true });
  });

  async function picture(where: Page, name: string): Promise<void> {
    if (process.env['LANPOST_SCREENSHOT'] === '1') await where.screenshot({ path: join(tmpdir(), `lanpost-phone-${name}.png`) });
  }

  /** Of these buttons the ones that a thumb does not reach without scrolling: outside of the screen, or under something else. */
  const outOfReach = (buttons: Locator): Promise<string[]> => buttons.evaluateAll((all) => all.filter((one) => {
    const { left, right, top, bottom } = one.getBoundingClientRect();
    const at = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    return left < 0 || top < 0 || right > document.documentElement.clientWidth || bottom > innerHeight || at !== one;
  }).map((one) => one.textContent ?? ''));

  /** What is wider than its place: nothing has to be pushed to the side. */
  const tooWide = (where: Page): Promise<string[]> => where.evaluate(() => {
    const all = [document.scrollingElement ?? document.body, ...document.querySelectorAll('dialog[open], .pair, #readers, #peers')];
    return all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => `${one.nodeName} ${one.id} ${one.className}: ${one.scrollWidth} > ${one.clientWidth}`);
  });

  /** What is shown now, with its buttons in reach where the page stands by itself. */
  async function isReached(where: Page, buttons: Locator, names: readonly string[]): Promise<void> {
    await expect.poll(() => buttons.allInnerTexts()).toEqual(names);
    await expect.poll(() => outOfReach(buttons)).toEqual([]);
    expect(await tooWide(where)).toEqual([]);
  }

  it('pair two boxes: each step is on the screen, on both', async () => {
    const [here, there] = [page.locator('#pairing button'), german.locator('#pairing button')];
    await page.getByRole('button', { name: `Pair with ${THEIRS}@${HOSTS[1]}` }).tap();
    await page.getByText(`Now start pairing with ${OURS}@${HOSTS[0]}`).waitFor();
    await isReached(page, here, ['Cancel']);
    await picture(page, 'waiting');
    await german.getByRole('button', { name: `Mit ${OURS}@${HOSTS[0]} koppeln` }).tap();

    await page.locator('.words span').nth(2).waitFor();
    await german.locator('.words span').nth(2).waitFor();
    await isReached(page, here, ['Yes, the same', 'No, they differ']);
    await isReached(german, there, ['Ja, dieselben', 'Nein, andere']);
    expect(await german.locator('.words span').allInnerTexts()).toEqual(await page.locator('.words span').allInnerTexts());
    await picture(page, 'words');
    await picture(german, 'words-german');

    await page.getByRole('button', { name: 'Yes, the same' }).tap();
    await page.getByText('Waiting for the answer on').waitFor();
    await isReached(page, here, ['Cancel']);
    await german.getByRole('button', { name: 'Ja, dieselben' }).tap();
    await page.getByText(`Paired with ${THEIRS}@${HOSTS[1]}`).waitFor();
    await german.getByText(`Gekoppelt mit ${OURS}@${HOSTS[0]}`).waitFor();
    await isReached(page, here, ['Close']);
    await isReached(german, there, ['Schließen']);
    await picture(german, 'paired-german');
    expect((await box.peers.list()).map(({ name, trust }) => [name, trust])).toEqual([[`${THEIRS}@${HOSTS[1]}`, 'paired']]);

    await page.getByRole('button', { name: 'Close' }).tap();
    await expect.poll(() => page.locator('#pairing > *').count()).toBe(0);
  });

  it('drop a reader: what is lost is said, and nothing is done before it was told to', async () => {
    const row = page.locator('#reader-rows > tr', { hasText: READER });
    const answers = page.locator('dialog button');
    const drop = row.getByRole('button', { name: `Drop ${READER}` });
    await drop.scrollIntoViewIfNeeded();
    await isReached(page, drop, ['Drop']);
    await picture(page, 'readers');
    await drop.tap();
    await page.locator('dialog', { hasText: /^Drop archive_[^]*12 records \([\d.]+ (B|KiB)\) wait for it and are given up/ }).waitFor();
    await isReached(page, answers, ['Keep it', 'Drop it']);
    await picture(page, 'drop');
    await answers.first().tap();
    await page.locator('dialog').waitFor({ state: 'hidden' });
    expect((await box.subscriptions.list()).map(({ name }) => name)).toContain(READER);

    await drop.tap();
    await isReached(page, answers, ['Keep it', 'Drop it']);
    await answers.last().tap();
    await row.waitFor({ state: 'detached' });
    expect((await box.subscriptions.list()).map(({ name }) => name)).not.toContain(READER);
    expect(await tooWide(page)).toEqual([]);
  });

  it('asked nobody outside, and nothing complained', () => {
    expect(browsers.flatMap(({ offSite, complaints }) => [...offSite, ...complaints])).toEqual([]);
  });
});
