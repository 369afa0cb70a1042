import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box, Item } from '../../src/index.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import type { Watched } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { type Purple, startPurple } from '../support/purple.ts';
import { ROOT } from '../support/root.ts';
import { chooseIn, closeDialog, deploy, dragNode, openDialog, openPicker, pick, pickerOf, wireNodes, type EditorWindow } from './editor-page.ts';
import { openLanEditor, type LanEditor } from './lan-editor.ts';

const COLUMNS: readonly number[] = [130, 380, 640, 890];
const ROW = 58;

/** Of a node whose name here is not its type. */
const TYPES: Readonly<Record<string, string>> = {
  'to alice': 'lanpost message out', 'from alice': 'lanpost message in', stock: 'inject', 'stock up': 'lanpost publish', shelf: 'lanpost subscribe', tell: 'inject', 'tell hall': 'lanpost publish',
};
const typeOf = (name: string): string => TYPES[name] ?? name;

/** `TYPE.FIELD` of every field that has a list beside it. */
const LISTED = readdirSync(join(ROOT, 'nodes')).filter((name) => name.endsWith('.html')).flatMap((name) => [...readFileSync(join(ROOT, 'nodes', name), 'utf8').matchAll(/lanpost\.pick\('#node-input-(\w+)'/g)].map(([, field]) => `${name.slice(0, -'.html'.length).replaceAll('-', ' ')}.${field}`));

/** Every node of the palette, dragged, configured by its dialog, wired, deployed, and put to work with another box and with libpurple on the link. */
describe.runIf(needs('root', 'chromium', 'avahi-daemon', 'libpurple'))('the palette, with a second box and libpurple', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-palette-'));
  const nodes = new Map<string, Locator>();
  /** `TYPE.FIELD` of what was taken from a list, and of what was typed although no list has it. */
  const [taken, typed] = [new Set<string>(), new Set<string>()];
  /** Whose dialog is open. */
  let configured = '';
  let lan: Lan;
  let editor: LanEditor;
  let gate: Box;
  let hall: Box;
  let other: BoxProcess;
  let alice: Purple;
  let browser: Watched;
  let page: Page;

  beforeAll(async () => {
    lan = await createLan(3, { names: ['gate', 'hall', 'desk'] });
    await lan.avahi(3);
    alice = await startPurple(lan, 3, 'alice');
    other = await startBox({ dir: join(dir, 'hall'), name: 'hall', lan, host: 2 });
    hall = await other.attach();
    editor = await openLanEditor(lan, 1, join(dir, 'gate'));
    ({ box: gate, browser, page } = editor);
    await eventually(async () => (await gate.peers.list()).length === 2 && (await hall.peers.list()).some(({ name }) => name === 'gate@gate'), { within: 90_000 });
    await alice.event({ event: 'online', buddy: 'gate@gate' }, { timeout: 90_000 });
    for (const right of ['read', 'command'] as const) {
      await gate.trust.allow('hall@hall', right, '#');
      await hall.trust.allow('gate@gate', right, '#');
    }
    await hall.commands.offer('lamp/on', ({ value }) => ({ lit: true, asked: value }), { title: 'Turn the lamp on' });
    await hall.publish('hall/light', 'before');
    await hall.trust.allow('gate@gate', 'write', 'hall/#');
    for (const topic of ['plant/valve', 'orders/kitchen', 'stock/level']) await gate.topics.create(topic);
    for (const [filter, durable] of [['orders/#', 'till'], ['stock/level', 'archive']] as const) await gate.subscribe(filter, { durable }).close();
    await gate.homes.add({ jid: 'gate@home.test', password: 'secret', host: lan.address(2), port: 9 });
  }, 400_000);

  afterAll(async () => {
    await hall?.close();
    await editor?.[Symbol.asyncDispose]();
    await Promise.all([other?.stop(), alice?.quit()]);
    await lan?.down();
    rmSync(dir, { recursive: true, force: true });
  });

  const node = (name: string): Locator => {
    const found = nodes.get(name);
    if (!found) throw new Error(`there is no node ${name} in this flow`);
    return found;
  };
  const debugged = (name: string): Locator => page.locator('.red-ui-debug-msg', { has: page.locator('.red-ui-debug-msg-name', { hasText: name }) }).last();
  const press = (name: string): Promise<void> => node(name).locator('.red-ui-flow-node-button').click();

  async function drag(name: string, type: string, column: number, row: number): Promise<void> {
    nodes.set(name, await dragNode(page, type, COLUMNS[column] ?? 0, 40 + row * ROW));
  }
  const wire = (from: string, to: string, output = 0): Promise<void> => wireNodes(page, node(from), node(to), output);

  /** Opens the dialog, does what is to be done in it, and closes it by its button. */
  async function configure(name: string, fill: () => Promise<void>): Promise<void> {
    configured = name;
    await openDialog(page, node(name));
    await fill();
    await closeDialog(page, '#node-dialog-ok');
  }
  const type = (field: string, text: string): Promise<void> => page.locator(`#node-input-${field}`).fill(text);

  async function fromPicker(field: string, search: string, choice: string): Promise<void> {
    await pick(page, `#node-input-${field}`, search, choice);
    expect(await page.locator(`#node-input-${field}`).inputValue()).toBe(choice);
    taken.add(`${typeOf(configured)}.${field}`);
  }
  /** What the list has not. */
  async function byHand(field: string, text: string): Promise<void> {
    const searching = await openPicker(page, pickerOf(page, `#node-input-${field}`));
    await searching.fill(text);
    await page.locator('.lanpost-picker-note').or(page.locator('.lanpost-picker-choice')).getByText(/you can type it all the same|@/).first().waitFor({ timeout: 20_000 });
    expect(await page.locator(`.lanpost-picker-choice[data-value="${text}"]`).count()).toBe(0);
    await page.keyboard.press('Escape');
    await searching.waitFor({ state: 'detached' });
    await type(field, text);
    typed.add(`${typeOf(configured)}.${field}`);
  }
  const said = (name: string): Promise<string | null> => node(name).locator('.red-ui-flow-node-status-label').textContent();
  /** Its words, and their dot: a full green one is all well. */
  const status = async (name: string): Promise<string> => `${/status-((?:dot|ring)-\w+)/.exec(await node(name).locator('.red-ui-flow-node-status').getAttribute('class') ?? '')?.[1]} ${await said(name)}`;
  /** One of the values of a field that has some. */
  const choose = (field: string, words: string): Promise<void> => chooseIn(page, page.locator(`#lanpost-shown-${field} + .red-ui-typedInput-container`), words);

  /** A row of the form that a command asks with. */
  async function addField(name: string, label: string, kind: string, options?: string): Promise<void> {
    await page.locator('.red-ui-editableList-addButton:visible').click();
    const row = page.locator('li', { has: page.locator('[data-field="name"]') }).last();
    await row.locator('[data-field="name"]').fill(name);
    await row.locator('[data-field="label"]').fill(label);
    await chooseIn(page, row.locator('.red-ui-typedInput-container').first(), kind);
    await expect.poll(() => row.locator('[data-field="options"]').isVisible()).toBe(options !== undefined);
    if (options !== undefined) await row.locator('[data-field="options"]').fill(options);
  }

  /** What an inject node says. */
  const inject = (name: string, kind: 'str' | 'json', payload: string): Promise<void> => configure(name, () => page.evaluate(({ as, what }) => {
    const first = (globalThis as EditorWindow).$('.node-input-prop-property-value').first();
    first.typedInput('type', as);
    first.typedInput('value', what);
  }, { as: kind, what: payload }));

  it('has every node of this package, and they can be dragged', async () => {
    const rows: readonly (readonly string[])[] = [
      ['make', 'lanpost topic', 'made'],
      ['say', 'lanpost publish', 'stock', 'stock up'],
      ['', 'lanpost subscribe', 'lanpost ack', 'heard'],
      ['look', 'lanpost items', 'history'],
      ['', 'lanpost gap', 'lost'],
      ['', 'lanpost message in', 'letters'],
      ['who', 'lanpost peers', 'seen'],
      ['how', 'lanpost home', 'account', 'shelf'],
      ['ask', 'lanpost request', 'answered'],
      ['', 'lanpost command in', 'lanpost command out'],
      ['write', 'lanpost message out', 'tell', 'tell hall'],
      ['greet', 'to alice', 'from alice', 'chat'],
    ];
    const palette = await page.locator('.red-ui-palette-node[data-palette-type^="lanpost "]').evaluateAll((all) => all.map((one) => (one as unknown as { dataset: { paletteType: string } }).dataset.paletteType));
    expect(rows.flat().filter((name) => name.startsWith('lanpost ')).toSorted()).toEqual(palette.toSorted());
    // The first one is given a box by its dialog; the others take the one there is.
    await drag('lanpost topic', 'lanpost topic', 1, 0);
    await configure('lanpost topic', async () => {
      await page.locator('#node-input-btn-box-add').click();
      await closeDialog(page, '#node-config-dialog-ok');
    });
    for (const [row, names] of rows.entries()) {
      for (const [column, name] of names.entries()) {
        if (name !== '' && !nodes.has(name)) await drag(name, TYPES[name] ?? (name.startsWith('lanpost ') ? name : column === 0 ? 'inject' : 'debug'), column, row);
      }
    }
  }, 180_000);

  it('each is configured by its dialog, with what the picker lists of the box', async () => {
    // As somebody offered it once: the flow takes its place.
    const offer = await gate.commands.offer('door/open', () => null, { title: 'Open the door' });
    await configure('lanpost topic', async () => {
      await fromPicker('topic', 'valve', 'plant/valve');
      await choose('lane', 'only the newest');
    });
    await configure('lanpost publish', async () => {
      await fromPicker('topic', 'valve', 'plant/valve');
      // Whom it may wait for is asked only then.
      expect(await page.locator('#node-input-reader').isVisible()).toBe(false);
      await choose('until', 'the reader has it');
      await fromPicker('reader', 'gate', 'xmpp:gate@home.test');
      await choose('until', 'it is on the disk');
      expect(await page.locator('#node-input-reader').isVisible()).toBe(false);
    });
    await configure('lanpost subscribe', async () => {
      // From a peer all comes at the pace that is set.
      expect(await page.locator('#lanpost-shown-rateOf + .red-ui-typedInput-container').isVisible()).toBe(true);
      await fromPicker('at', 'hall', 'link:hall@hall');
      expect(await page.locator('#lanpost-shown-rateOf + .red-ui-typedInput-container').isVisible()).toBe(false);
      // What is there is listed, not what is here.
      await fromPicker('filter', 'light', 'hall/light');
      await type('filter', 'hall/#');
      await choose('ack', 'by lanpost ack');
    });
    await configure('stock up', async () => {
      await fromPicker('topic', 'stock', 'stock/level');
      await choose('until', 'the reader has it');
      await fromPicker('reader', 'arch', 'archive');
    });
    await configure('shelf', async () => {
      await fromPicker('filter', 'stock', 'stock/level');
      await choose('durable', 'true');
      await fromPicker('reader', 'arch', 'archive');
    });
    await configure('tell hall', async () => {
      await fromPicker('at', 'hall', 'link:hall@hall');
      await fromPicker('topic', 'light', 'hall/light');
    });
    await configure('lanpost ack', () => type('name', 'done with it'));
    await configure('lanpost items', () => fromPicker('topic', 'valve', 'plant/valve'));
    await configure('lanpost gap', async () => {
      await fromPicker('filter', 'kitchen', 'orders/kitchen');
      await fromPicker('reader', 'till', 'till');
    });
    await configure('lanpost message out', () => fromPicker('to', 'hall', 'link:hall@hall'));
    await configure('lanpost message in', () => fromPicker('from', 'hall', 'link:hall@hall'));
    await configure('to alice', () => fromPicker('to', 'alice', 'link:alice@desk'));
    await configure('from alice', () => fromPicker('from', 'alice', 'link:alice@desk'));
    await configure('lanpost peers', () => choose('only', 'boxes only'));
    await configure('lanpost home', () => fromPicker('home', 'gate', 'gate@home.test'));
    await configure('lanpost request', async () => {
      await fromPicker('to', 'hall', 'link:hall@hall');
      await fromPicker('command', 'lamp', 'lamp/on');
    });
    await configure('lanpost command in', async () => {
      await fromPicker('command', 'door', 'door/open');
      await addField('seconds', 'For how long', 'number');
      await addField('side', 'Which side', 'one of', 'in, out');
    });
    expect(await page.evaluate(() => (globalThis as EditorWindow).RED.nodes.filterNodes({ type: 'lanpost command in' })[0])).toMatchObject({ fields: [
      { name: 'seconds', label: 'For how long', kind: 'number', options: '', required: 'false' },
      { name: 'side', label: 'Which side', kind: 'list', options: 'in, out', required: 'false' },
    ] });
    await offer.close();
    await configure('lanpost command out', () => type('name', 'say so'));
    for (const name of ['made', 'heard', 'history', 'lost', 'letters', 'seen', 'account', 'answered', 'chat']) await configure(name, () => type('name', `saw ${name}`));
    await inject('say', 'json', '{"open":true}');
    await inject('stock', 'json', '7');
    await inject('tell', 'str', 'dimmed');
    await inject('write', 'str', 'good evening');
    await inject('greet', 'str', 'tea is ready');
    await inject('how', 'str', 'status');
    await inject('ask', 'json', '{"level":3}');
    expect(await page.locator('.red-ui-flow-node-error:visible').count()).toBe(0);
    // Each field that has a list, so that a new one is not forgotten.
    expect([...taken].toSorted()).toEqual(LISTED.toSorted());
  }, 240_000);

  it('they are wired and deployed, and each says how it is', async () => {
    await wire('make', 'lanpost topic');
    await wire('lanpost topic', 'made');
    await wire('say', 'lanpost publish');
    await wire('lanpost subscribe', 'lanpost ack');
    await wire('lanpost ack', 'heard');
    await wire('look', 'lanpost items');
    await wire('lanpost items', 'history');
    await wire('lanpost gap', 'lost');
    await wire('stock', 'stock up');
    await wire('tell', 'tell hall');
    await wire('write', 'lanpost message out');
    await wire('lanpost message in', 'letters');
    await wire('greet', 'to alice');
    await wire('from alice', 'chat');
    await wire('who', 'lanpost peers');
    await wire('lanpost peers', 'seen', 1);
    await wire('how', 'lanpost home');
    await wire('lanpost home', 'account', 1);
    await wire('ask', 'lanpost request');
    await wire('lanpost request', 'answered');
    await wire('lanpost command in', 'lanpost command out');
    await deploy(page);
    expect(await gate.homes.list()).toMatchObject([{ state: expect.stringMatching(/^(connecting|waiting)$/) }]);
    for (const [name, words] of [
      ['lanpost topic', /^dot-green did 1$/], ['lanpost publish', /^ring-grey ready$/], ['stock up', /^ring-grey ready$/], ['lanpost items', /^ring-grey ready$/], ['lanpost request', /^ring-grey ready$/],
      ['lanpost subscribe', /^dot-green received 0$/], ['shelf', /^dot-green received 0$/], ['lanpost gap', /^dot-green nothing lost$/], ['lanpost message in', /^dot-green received 0$/],
      // Alice is no box, and nobody answers where that home would be.
      ['lanpost peers', /^dot-green [01] connected, 1 seen$/], ['lanpost home', /^ring-yellow (connecting|waiting)/], ['lanpost command in', /^ring-grey offered$/],
    ] as const) await expect.poll(() => status(name), { timeout: 40_000, message: name }).toMatch(words);
    expect(await page.locator('.red-ui-notification-error').count()).toBe(0);
  }, 180_000);

  it('topic, publish and items: the other box gets what is published here', async () => {
    await press('make');
    await debugged('saw made').waitFor();
    expect(await gate.topics.get('plant/valve')).toMatchObject({ lane: 'latest' });
    const follower = hall.subscribe('plant/#', { at: 'gate@gate' });
    await follower.ready;
    await press('say');
    const { value } = await follower.next() as { value: Item };
    expect(value).toMatchObject({ topic: expect.stringContaining('plant/valve'), value: { open: true } });
    await follower.close();
    await press('look');
    await debugged('saw history').getByText('array[1]').waitFor();
  });

  it('publish at the other box, and until a reader has it', async () => {
    await press('tell');
    await expect.poll(async () => (await hall.items('hall/light', { last: 1 }))[0], { timeout: 40_000 }).toMatchObject({ value: 'dimmed' });
    await press('stock');
    await expect.poll(() => status('stock up'), { timeout: 40_000 }).toBe('dot-green delivered 1');
    expect(await status('shelf')).toBe('dot-green received 1');
    expect((await gate.subscriptions.list()).find(({ name }) => name === 'archive')).toMatchObject({ pending: 0 });
  });

  it('subscribe and ack: what the other box publishes comes here, and is confirmed', async () => {
    await hall.publish('hall/light', 'on');
    await debugged('saw heard').getByText('"on"').waitFor({ timeout: 40_000 });
    await expect.poll(async () => (await gate.subscriptions.list()).every(({ unconfirmed }) => unconfirmed === 0), { timeout: 40_000 }).toBe(true);
  });

  it('message in and message out: letters go both ways', async () => {
    const letters = hall.messages({ name: 'test' });
    await press('write');
    expect((await letters.next()).value).toMatchObject({ from: 'link:gate@gate', body: 'good evening' });
    await letters.close();
    await hall.send('link:gate@gate', 'good morning');
    await debugged('saw letters').getByText('good morning').waitFor({ timeout: 40_000 });
  });

  it('a person at libpurple is written to, and answers', async () => {
    await press('greet');
    expect(await alice.event(({ event, text }) => event === 'im' && text?.includes('tea is ready') === true, { timeout: 40_000 })).toMatchObject({ buddy: 'gate@gate' });
    alice.send('gate@gate', 'on my way');
    await debugged('saw chat').getByText('on my way').waitFor({ timeout: 40_000 });
  });

  it('on the status page that person is a chat client, in the clear, whom nobody can pair with', async () => {
    const shown = await page.context().newPage();
    await shown.goto(new URL('/status/', page.url()).href);
    const row = (name: string): Locator => shown.locator('#peers li', { hasText: name });
    await row('alice@desk').locator('.pill').getByText('in the clear').waitFor();
    expect(await row('alice@desk').locator('.more').innerText()).toContain('a chat client');
    expect(await row('alice@desk').getByRole('button').count()).toBe(0);
    expect(await row('hall@hall').locator('.more').innerText()).toContain('a box');
    expect(await row('hall@hall').locator('.pill').innerText()).toBe('paired');
    await shown.close();
  });

  it('peers and home: what there is, when asked', async () => {
    await press('who');
    await debugged('saw seen').getByText('array[1]').waitFor();
    await press('how');
    await debugged('saw account').getByText('object').first().waitFor();
    expect(await debugged('saw account').innerText()).toContain('gate@home.test');
  });

  it('request, command in and command out: each box has the other do something', async () => {
    await press('ask');
    await debugged('saw answered').getByText('lit').waitFor();
    expect(await hall.commands.run('link:gate@gate', 'door/open', { seconds: 5, side: 'in' })).toEqual({ seconds: 5, side: 'in' });
  });

  it('the dialog of the box pairs with the other one, by words that both show', async () => {
    await configure('lanpost publish', async () => {
      await page.locator('#node-input-btn-box-edit').click();
      await page.locator('#lanpost-box-trust:visible').waitFor({ timeout: 40_000 });
      await pick(page, '#lanpost-box-peer', 'hall', 'link:hall@hall');
      await page.locator('#lanpost-box-pair').click();
      await page.locator('#lanpost-box-pairings').getByText('now begin pairing').waitFor({ timeout: 40_000 });
      for await (const event of hall.trust.pair('gate@gate', { signal: AbortSignal.timeout(60_000) })) {
        if (event.type !== 'words') continue;
        const shown = page.locator('.lanpost-box-words');
        await shown.waitFor({ timeout: 40_000 });
        expect((await shown.innerText()).split(/\s+/)).toEqual(event.words);
        await page.getByRole('button', { name: 'Yes, the same' }).click();
        await hall.trust.confirm('gate@gate', true);
      }
      await page.locator('#lanpost-box-pairings').getByText('paired; rights').waitFor({ timeout: 40_000 });
      expect((await gate.trust.list()).find(({ name }) => name === 'hall@hall')?.level).toBe('paired');
      if (process.env['LANPOST_SCREENSHOT'] === '1') await page.screenshot({ path: join(tmpdir(), 'pairing-dialog.png') });
      await closeDialog(page, '#node-config-dialog-cancel');
    });
  });

  it('gap: what a reader lost is told', async () => {
    await gate.subscribe('orders/#', { durable: 'till', maxBacklog: { records: 1 } }).close();
    for (let n = 0; n < 3; n++) await gate.publish('orders/kitchen', n);
    await debugged('saw lost').waitFor({ timeout: 40_000 });
    expect(await debugged('saw lost').innerText()).toContain('overflow');
    if (process.env['LANPOST_SCREENSHOT'] === '1') await page.screenshot({ path: fileURLToPath(new URL('../../docs/palette.png', import.meta.url)), clip: { x: 0, y: 0, width: 1600, height: 820 } });
  });

  it('each says what has come of all that', async () => {
    for (const [name, words] of Object.entries({
      'lanpost topic': 'did 2', 'lanpost publish': 'published 1', 'tell hall': 'published 1', 'stock up': 'delivered 1', shelf: 'received 1', 'lanpost subscribe': 'received 2', 'lanpost ack': 'confirmed 2',
      'lanpost items': 'asked 1', 'lanpost message in': 'received 1', 'lanpost message out': 'sent 1', 'to alice': 'sent 1', 'from alice': 'received 1', 'lanpost peers': '1 connected, 1 seen',
      'lanpost request': 'answered 1', 'lanpost command out': 'answered 1',
    })) await expect.poll(() => status(name), { timeout: 20_000, message: name }).toBe(`dot-green ${words}`);
    expect(await status('lanpost command in')).toBe('ring-grey offered, run 1 time');
    const { length } = await gate.items('$ledger', { last: 10 });
    await expect.poll(() => status('lanpost gap'), { timeout: 20_000 }).toBe(`dot-yellow told of ${length}, ${length} ${length === 1 ? 'loss' : 'losses'} known`);
  });

  it('what no list has can be typed, and works as well', async () => {
    await configure('lanpost topic', () => byHand('topic', 'typed/made'));
    await configure('lanpost publish', () => byHand('topic', 'typed/item'));
    await configure('lanpost items', () => byHand('topic', 'typed/item'));
    await configure('stock up', async () => {
      await byHand('topic', 'typed/stock');
      await byHand('reader', 'by-hand');
    });
    await configure('shelf', async () => {
      await byHand('filter', 'typed/stock');
      await byHand('reader', 'by-hand');
    });
    await configure('tell hall', async () => {
      await byHand('at', 'hall@hall');
      await byHand('topic', 'hall/typed');
    });
    await configure('lanpost subscribe', async () => {
      await byHand('at', 'hall@hall');
      await byHand('filter', 'hall/typed');
    });
    await configure('lanpost gap', async () => {
      await byHand('filter', 'lost/#');
      await byHand('reader', 'forgetful');
    });
    await configure('lanpost message out', () => byHand('to', 'hall@hall'));
    await configure('lanpost message in', () => byHand('from', 'hall@hall'));
    await configure('lanpost home', () => byHand('home', 'nobody@home.test'));
    await configure('lanpost request', async () => {
      await byHand('to', 'hall@hall');
      await byHand('command', 'lamp/off');
    });
    await configure('lanpost command in', () => byHand('command', 'door/shut'));
    expect([...typed].toSorted()).toEqual(LISTED.toSorted());
    await deploy(page);

    await hall.commands.offer('lamp/off', () => ({ dark: true }));
    for (const name of ['say', 'stock', 'write', 'ask']) await press(name);
    for (const [name, words] of Object.entries({ 'lanpost publish': 'published 1', 'stock up': 'delivered 1', shelf: 'received 1', 'lanpost topic': 'did 1', 'lanpost message out': 'sent 1', 'lanpost request': 'answered 1' })) {
      await expect.poll(() => status(name), { timeout: 40_000, message: name }).toBe(`dot-green ${words}`);
    }
    expect(await gate.topics.get('typed/made')).toBeDefined();
    await debugged('saw answered').getByText('dark').waitFor();
    await press('look');
    await expect.poll(() => status('lanpost items')).toBe('dot-green asked 1');
    await press('tell');
    await expect.poll(() => status('lanpost subscribe'), { timeout: 40_000 }).toBe('dot-green received 1');
    await hall.send('link:gate@gate', 'good night');
    await expect.poll(() => status('lanpost message in'), { timeout: 40_000 }).toBe('dot-green received 1');
    await gate.subscribe('lost/#', { durable: 'forgetful', maxBacklog: { records: 1 } }).close();
    for (let n = 0; n < 3; n++) await gate.publish('lost/one', n);
    await expect.poll(() => status('lanpost gap'), { timeout: 40_000 }).toMatch(/^dot-yellow told of ([12]), \1 loss(es)? known$/);
    expect(await hall.commands.run('link:gate@gate', 'door/shut', { seconds: 5, side: 'in' })).toEqual({ seconds: 5, side: 'in' });
    // Of what is not there that is what it says.
    expect(await status('lanpost home')).toBe('ring-red no home nobody@home.test');
  }, 240_000);

  it('each says that the other box is gone, and why nothing comes of it', async () => {
    await hall.close();
    await other.stop();
    await expect.poll(() => status('lanpost peers'), { timeout: 60_000 }).toBe('dot-green 0 connected, 0 seen');
    await expect.poll(() => status('lanpost subscribe'), { timeout: 60_000 }).toMatch(/^ring-yellow peer not reached, received 1/);
    await press('ask');
    await expect.poll(() => status('lanpost request'), { timeout: 60_000 }).toMatch(/^ring-red unreachable/);
  });

  it('asked nobody outside, and nothing complained', () => {
    expect(browser.offSite).toEqual([]);
    expect(editor.complaints()).toEqual([]);
    // Of the last that was asked, with nobody there and no Catch node, and of nothing else.
    expect(editor.warned).toMatch(/^lanpost: \[lanpost request \w+\] hall@hall is not on the link: see `lanpost peers`\n$/);
  });
});
