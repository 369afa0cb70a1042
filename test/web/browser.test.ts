import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box, HomeStatus } from '../../src/index.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { openBrowser, type Watched } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';

/** What strangers may call a topic, and themselves. */
const HOSTILE = 'hostile/<img src=x onerror="document.title=`taken`">';
const TURNED = 'hostile/\u202etxt.exe';

/** The status page of a box that has peers, a home and readers, looked at by a browser on the same machine. */
describe.runIf(needs('root', 'chromium', 'prosody'))('the status page in a browser', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-status-'));
  let lan: Lan;
  let server: HomeServer;
  let ours: BoxProcess;
  let other: BoxProcess;
  let third: BoxProcess;
  let box: Box;
  let hall: Box;
  let browser: Watched;
  let page: Page;
  let publishing: NodeJS.Timeout;

  beforeAll(async () => {
    lan = await createLan(4, { names: ['gate', 'hall', 'hub', 'garage'] });
    server = await createHomeServer('prosody', { lan, host: 3 });
    await server.start();
    ours = await startBox({ dir: join(dir, 'ours'), name: 'workshop', lan, host: 1, args: ['--status-port', '0'] });
    other = await startBox({ dir: join(dir, 'other'), name: 'hall', lan, host: 2, args: ['--nick', 'The hall'] });
    third = await startBox({ dir: join(dir, 'third'), name: 'garage', lan, host: 4 });
    await third.cli('presence', '--status', 'away', '--text', 'winter break');
    [box, hall] = await Promise.all([ours.attach(), other.attach()]);

    const secret = join(dir, 'password');
    const { jid, password } = server.account('edge1');
    writeFileSync(secret, `${password}\n`);
    await ours.cli('home', 'add', jid, '--password-file', secret, '--host', server.host, '--port', String(server.port), '--ca', server.ca, '--topics', 'sensors/#');
    await eventually(async () => (await box.status()).homes[0]?.state === 'online');

    await box.subscribe('sensors/#', { durable: 'archive', from: 'start' }).close();
    await box.subscribe('orders/#', { durable: 'till' }).close();
    for (let n = 1; n <= 9; n++) await box.publish('orders/kitchen', { table: n, dish: 'soup' });
    // Bounds are looked at each second: had it its own from the first, it might lose in two turns what here is one loss.
    await box.subscribe('orders/#', { durable: 'till', maxBacklog: { records: 3 } }).close();
    await box.topics.create('sensors/attic', { title: 'Under the roof' });
    await box.topics.create('cameras/door', { storage: 'memory' });
    await box.publish('cameras/door', new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]));
    await box.publish('notes', 'The boiler was serviced. Next time in spring.');
    await ours.run('peers', '--watch').line(({ type, peer }) => type === 'up' && (peer as { name?: string }).name === 'hall@hall');

    await eventually(async () => ours.output.includes('\nready'));
    browser = await openBrowser({ namespace: lan.namespace(1) });
    page = await browser.open({ viewport: { width: 1360, height: 900 }, colorScheme: 'light' });
    await page.goto(/status +(\S+)/.exec(ours.output)?.[1] ?? '');
    await page.locator('#live.on').waitFor();
    let at = 0;
    publishing = setInterval(() => {
      at++;
      void box.publish('sensors/attic', { value: 21 + Math.round(Math.sin(at / 20) * 30) / 10, unit: 'Cel' }).catch(() => undefined);
      if (at % 4 === 0) void box.publish('sensors/boiler', { value: 64.5, unit: 'Cel', state: 'burning' }).catch(() => undefined);
    }, 120);
  });

  afterAll(async () => {
    clearInterval(publishing);
    await browser?.[Symbol.asyncDispose]();
    await Promise.all([box?.close(), hall?.close()]);
    await Promise.all([ours?.stop(), other?.stop(), third?.stop()]);
    await server?.down();
    await lan?.down();
    rmSync(dir, { recursive: true, force: true });
  });

  const row = (table: string, words: string): ReturnType<Page['locator']> => page.locator(`${table} > *`, { hasText: words });
  async function picture(name: string, what?: string): Promise<void> {
    if (process.env['LANPOST_SCREENSHOT'] !== '1') return;
    await (what === undefined ? page : page.locator(what)).screenshot({ path: fileURLToPath(new URL(`../../docs/${name}.png`, import.meta.url)) });
  }

  it('leaves the key out of the address, and keeps it as a cookie', async () => {
    expect(new URL(page.url()).search).toBe('');
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict' });
    await page.reload();
    await page.locator('#live.on').waitFor();
  });

  it('shows topics with their newest values and rates, as they change', async () => {
    const attic = row('#topic-rows', 'sensors/attic');
    await attic.getByText('"unit":"Cel"').waitFor();
    await attic.getByText(/^\d+(\.\d)?\/s$/).waitFor();
    const value = await attic.locator('.value').innerText();
    await expect.poll(() => attic.locator('.value').innerText(), { timeout: 30_000 }).not.toBe(value);
    expect(await attic.innerText()).toContain('Under the roof');
    expect(await row('#topic-rows', 'cameras/door').innerText()).toMatch(/in memory[^]*8 bytes: 89 50 4e 47/);
  });

  it('finds topics by their words', async () => {
    await page.locator('#search').fill('boiler');
    await expect.poll(() => page.locator('#topic-rows > tr').count()).toBe(1);
    await page.locator('#topics-note', { hasText: '1 is like that' }).waitFor();
    await page.locator('#search').fill('no such');
    await page.getByText('No topic is like that.').waitFor();
    await page.locator('#search').fill('');
    await expect.poll(() => page.locator('#topic-rows > tr').count()).toBeGreaterThan(4);
  });

  it('shows losses, readers and what they keep', async () => {
    expect(await row('#loss-rows', 'till').innerText()).toMatch(/orders[^]*6 records[^]*more waited than its bound/);
    expect(await page.locator('#tile-losses').innerText()).toBe('1');
    expect(await row('#reader-rows', 'archive').innerText()).toMatch(/sensors\/#[^]*nobody reads since/);
  });

  it('pauses a home, and resumes it', async () => {
    const home = row('#homes', 'edge1@home.test');
    await home.getByRole('button', { name: 'Pause edge1@home.test' }).click();
    await home.locator('.pill', { hasText: 'paused' }).waitFor();
    expect((await box.homes.list())[0]?.state).toBe('paused');
    await home.getByRole('button', { name: 'Resume edge1@home.test' }).click();
    await home.locator('.pill', { hasText: 'online' }).waitFor();
  });

  it('says how a home is, and what waits when it is gone', async () => {
    const home = row('#homes', 'edge1@home.test');
    await home.locator('.pill', { hasText: 'online' }).waitFor();
    await server.stop();
    await home.locator('.pill', { hasText: 'waiting' }).waitFor({ timeout: 30_000 });
    await home.getByText('Oldest').waitFor();
    await expect.poll(async () => Number(await page.locator('#tile-homes').innerText())).toBeGreaterThan(10);
  });

  it('looks good beside others, in daylight and at night', async () => {
    await page.locator('#search').blur();
    await picture('status');
    await page.emulateMedia({ colorScheme: 'dark' });
    if (process.env['LANPOST_SCREENSHOT'] === '1') await page.screenshot({ path: join(tmpdir(), 'lanpost-status-dark.png') });
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize({ width: 390, height: 844 });
    await picture('status-phone');
    await page.setViewportSize({ width: 1360, height: 900 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  });

  it('speaks German to who prefers that', async () => {
    const german = await browser.open({ locale: 'de-DE', viewport: { width: 1360, height: 900 } });
    await german.context().addCookies(await page.context().cookies());
    await german.goto(page.url());
    await german.locator('#live.on').waitFor();
    await german.locator('#homes', { hasText: 'Ältestes' }).waitFor();
    expect(await german.locator('html').getAttribute('lang')).toBe('de');
    expect(await german.locator('#losses-title').innerText()).toBe('Verlustbuch');
    expect(await german.locator('#search').getAttribute('placeholder')).toBe('Topics suchen');
    expect(await german.locator('#loss-rows').innerText()).toMatch(/6 Einträge[^]*es wartete mehr als seine Grenze/);
    expect(await german.locator('#reader-rows').innerText()).toContain('niemand liest seit');
    await row('#topic-rows', 'sensors/boiler').getByText(/^\d\.\d\/s$/).waitFor();
    await german.locator('#topic-rows > *', { hasText: 'sensors/boiler' }).getByText(/^\d,\d\/s$/).waitFor();
    // Of what the page itself writes: values, addresses and names are others'.
    expect(await german.locator('#tiles dd, .facts dd, .rate, td.number').allInnerTexts()).not.toContainEqual(expect.stringMatching(/\d\.\d(?!\d\d)/));
    if (process.env['LANPOST_SCREENSHOT'] === '1') await german.screenshot({ path: join(tmpdir(), 'lanpost-status-german.png') });
    await german.context().close();
  });

  it('pairs: both boxes show the same words, and both owners say yes', async () => {
    await page.getByRole('button', { name: 'Pair with hall@hall' }).click();
    await page.getByText('Now start pairing with workshop@gate on hall@hall too').waitFor();
    const there = other.run('pair', 'workshop@gate');
    const { words } = await there.line(({ type }) => type === 'words') as { words?: string[] };
    await page.locator('.words span').first().waitFor();
    expect(await page.locator('.words span').allInnerTexts()).toEqual(words);
    await picture('status-pairing', '.pair');
    await page.getByRole('button', { name: 'Yes, the same' }).click();
    await page.getByText('Waiting for the answer on hall@hall.').waitFor();
    there.child.stdin.write('yes\n');
    await page.getByText('Paired with hall@hall').waitFor();
    expect(await there.ended).toBe(0);
    await row('#peers', 'hall@hall').locator('.pill', { hasText: /^paired$/ }).waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    await expect.poll(() => page.locator('#pairing > *').count()).toBe(0);
  });

  it('refuses words that differ', async () => {
    const there = other.run('pair', 'workshop@gate');
    await there.line(({ type }) => type === 'waiting');
    await page.evaluate(() => fetch('pair', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"peer":"hall@hall"}' }));
    await page.getByRole('button', { name: 'No, they differ' }).click();
    await page.getByText('One of you said that the words differ').waitFor();
    expect(await there.ended).toBe(1);
    await page.getByRole('button', { name: 'Close' }).click();
  });

  it('shows what is hostile as the text that it is', async () => {
    await box.publish(HOSTILE, '<script>document.title = "taken"</script>');
    await box.publish(TURNED, 'gpj\u202egnp.exe\n\u0007');
    await hall.setAbout({ nick: '<b onmouseover="alert(1)">Hall</b>' });
    await row('#topic-rows', 'txt.exe').waitFor();
    await row('#peers', '<b onmouseover').waitFor();
    expect(await row('#topic-rows', HOSTILE).locator('.value').innerText()).toBe('<script>document.title = "taken"</script>');
    expect(await row('#topic-rows', 'txt.exe').innerText()).toMatch(/hostile\/\\u\{202e\}txt\.exe[^]*gpj\\u\{202e\}gnp\.exe\\n\\u\{7\}/);
    expect(await row('#peers', 'hall@hall').innerText()).toContain('“<b onmouseover="alert(1)">Hall</b>”');
    expect(await page.title()).toBe('workshop@gate · lanpost');
    expect(await page.locator('main img, main script, main b').count()).toBe(0);
  });

  it('drops a reader, once it was said what is given up, and told to', async () => {
    const archive = row('#reader-rows', 'archive');
    await archive.getByRole('button').click();
    await page.locator('dialog', { hasText: /records? \(.*\) wait for it and are given up/ }).waitFor();
    await page.keyboard.press('Escape');
    expect(await archive.count()).toBe(1);
    await archive.getByRole('button').click();
    await page.getByRole('button', { name: 'Drop it' }).click();
    await archive.waitFor({ state: 'detached' });
    expect((await box.subscriptions.list()).map(({ name }) => name)).not.toContain('archive');
  });

  /** What stands beside a word of an account. */
  const fact = (name: string): Promise<string> => row('#homes', 'edge1@home.test').locator('.facts > div', { has: page.locator('dt', { hasText: new RegExp(`^${name}$`) }) }).locator('dd').innerText();
  /** Milliseconds of what the page says in whole seconds, minutes or hours, and up to which. */
  const spanOf = (text: string): readonly [number, number] => {
    const [, n = 'NaN', unit = ''] = /^(\d+) (s|min|h)$/.exec(text) ?? [];
    const each = { s: 1000, min: 60_000, h: 3_600_000 }[unit] ?? Number.NaN;
    return [Number(n) * each, (Number(n) + 1) * each];
  };

  it('a peer connects, changes and goes: each is seen as it happens', async () => {
    const garage = row('#peers', 'garage@garage');
    expect(await garage.innerText()).toMatch(/seen · away \(winter break\) · a box/);
    const connected = Number(/^\d+/.exec(await page.locator('#tile-peers-more').innerText())?.[0]);
    await box.send('link:garage@garage', 'anybody there?');
    await garage.getByText(/^connected · away/).waitFor({ timeout: 30_000 });
    await garage.locator('.dot.away').waitFor();
    await page.getByText(`${connected + 1} connected`, { exact: true }).waitFor();
    await third.cli('presence', '--status', 'dnd', '--text', 'mending the gate');
    await garage.getByText(/^connected · do not disturb \(mending the gate\)/).waitFor({ timeout: 30_000 });
    await garage.locator('.dot.dnd').waitFor();
    expect(await page.locator('#tile-peers').innerText()).toBe('2');
    await page.setViewportSize({ width: 390, height: 844 });
    await garage.getByText(/^connected · do not disturb/).waitFor();
    await third.stop();
    await garage.waitFor({ state: 'detached', timeout: 30_000 });
    expect(await page.locator('#tile-peers').innerText()).toBe('1');
    await page.setViewportSize({ width: 1360, height: 900 });
  });

  it('foretells when all will be there, as the box does', async () => {
    expect(await fact('All there in')).toBe('not known yet');
    await server.start();
    // So it does not wait for its next turn.
    await box.homes.pause('edge1@home.test');
    await box.homes.resume('edge1@home.test');
    await row('#homes', 'edge1@home.test').locator('.pill', { hasText: 'online' }).waitFor({ timeout: 30_000 });
    for (const width of [1360, 390]) {
      await page.setViewportSize({ width, height: 844 });
      await expect.poll(async () => {
        const [{ queued, rate, drains = Number.NaN }] = await box.homes.list() as [HomeStatus];
        const [least, most] = spanOf(await fact('All there in'));
        // Between two looks it goes on.
        return rate.items > 0 && Math.abs(drains - (queued / rate.items) * 1000) <= 1 && least <= drains * 1.2 && drains <= most * 1.2;
      }, { timeout: 40_000 }).toBe(true);
      expect(await fact('Goes')).toMatch(/^\d+(\.\d)?\/(s|min), [\d.,]+ (B|KiB)\/s$/);
      expect(await page.locator('#tile-homes-more').innerText()).toMatch(/^all there in \d+ (s|min|h)$/);
    }
    await page.setViewportSize({ width: 1360, height: 900 });
  });

  it('is read on a telephone', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await row('#topic-rows', 'sensors/attic').getByText('"unit":"Cel"').waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    const small = await page.locator('button:visible, a:visible, input:visible').evaluateAll((all) => all.filter((one) => one.getBoundingClientRect().height < 36 && !one.classList.contains('skip')).length);
    expect(small).toBe(0);
    // All that is said is inside of the page, large enough, and whole.
    const unread = await page.locator('header :visible, main :visible, footer :visible').evaluateAll((all) => all.filter((one) => {
      const says = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim());
      const { left, right, width } = one.getBoundingClientRect();
      if (!says || width <= 1 || one.closest('thead, .skip, .unseen')) return false;
      return left < 0 || right > innerWidth || Number.parseFloat(getComputedStyle(one).fontSize) < 12 || one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== 'inline';
    }).map((one) => one.textContent));
    expect(unread).toEqual([]);
  });

  it('comes back by itself when the box does', async () => {
    await box.close();
    await ours.stop();
    await page.locator('#live', { hasText: 'no connection' }).waitFor();
    expect(browser.complaints.splice(0).every((text) => /ERR_(CONNECTION|INCOMPLETE|EMPTY)|Failed to fetch/.test(text))).toBe(true);
    const { port } = new URL(page.url());
    ours = await startBox({ dir: join(dir, 'ours'), name: 'workshop', lan, host: 1, args: ['--status-port', port] });
    box = await ours.attach();
    await page.locator('#live.on').waitFor({ timeout: 30_000 });
    expect(browser.complaints.splice(0).every((text) => /ERR_(CONNECTION|INCOMPLETE|EMPTY)|503/.test(text))).toBe(true);
  });

  it('asked nobody outside, and nothing complained', () => {
    expect(browser.offSite).toEqual([]);
    expect(browser.complaints).toEqual([]);
  });
});
