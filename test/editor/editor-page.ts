import type { Locator, Page } from 'playwright-core';
import { eventually } from '../support/eventually.ts';

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

/** What a page complained of that is no fault of ours. */
export function complaintsOf(complaints: readonly string[]): string[] {
  return complaints.filter((one) => !TIPS.test(one));
}

/** Resolves when the editor is all there, with the nodes of this package: loading all of Node-RED takes long on a machine that others have to themselves for a while. */
export async function editorLoaded(page: Page): Promise<void> {
  await page.waitForFunction(() => (globalThis as EditorWindow).RED?.nodes?.getType?.('lanpost command out') && document.querySelectorAll('.red-ui-palette-node').length > 10, null, { timeout: 120_000 });
  await page.locator('#red-ui-loading-progress').waitFor({ state: 'hidden', timeout: 120_000 });
}

/** What the editor says lies over the nodes, and stays for as long as the mouse is on it: it is clicked away, as a person would. */
async function dismissNotes(page: Page): Promise<void> {
  for (const note of await page.locator('.red-ui-notification:visible').all()) await note.click({ timeout: 3000 }).catch(() => undefined); // it has gone by itself
}

/** Opens the dialog of a node, as a person does. */
export async function openDialog(page: Page, node: Locator): Promise<void> {
  // Where others have the machine, two clicks come too far apart to be one double click.
  let there: unknown;
  await eventually(async () => {
    await dismissNotes(page);
    // What was imported may lie outside of what is shown.
    await node.scrollIntoViewIfNeeded();
    // The node itself: what it says of its state below may be wider.
    const at = (await node.locator('rect.red-ui-flow-node').first().boundingBox())!;
    const [x, y] = [at.x + at.width / 2, at.y + 15];
    there = await page.evaluate((point) => document.elementFromPoint(...point)?.outerHTML.slice(0, 500), [x, y] as [number, number]);
    await page.mouse.dblclick(x, y);
    return page.locator('#node-dialog-ok').waitFor({ timeout: 10_000 }).then(() => true, () => false);
  }, { within: 60_000 }).catch((cause: unknown) => { throw new Error(`no dialog opens at ${String(there)}`, { cause }); });
}

/**
 * Resolves when the dialog has slid in: until then the editor takes the focus for its first field, what is opened beside it may close again,
 * and a button is pressed in one place and let go in another, which is no click.
 */
async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const [dialogs] = document.querySelectorAll('#red-ui-editor-stack');
    // Where it stands as soon as it is still, in Node-RED 4.1 and 5; the dialog before may have left it there.
    return dialogs !== undefined && getComputedStyle(dialogs).zIndex === '13' && dialogs.getAnimations({ subtree: true }).every((one) => one.playState !== 'running');
  }, null, { timeout: 60_000 });
}

/** Closes a dialog by one of its buttons. */
export async function closeDialog(page: Page, button: '#node-dialog-ok' | '#node-dialog-cancel' | '#node-config-dialog-ok' | '#node-config-dialog-cancel'): Promise<void> {
  const closing = page.locator(button);
  await settled(page);
  await eventually(async () => {
    await closing.click();
    return closing.waitFor({ state: 'hidden', timeout: 10_000 }).then(() => true, () => false);
  }, { within: 60_000 });
}

/** The search field of the list beside a field, opened. */
export async function openPicker(page: Page, button: Locator): Promise<Locator> {
  const searching = page.locator('.lanpost-picker-search');
  await settled(page);
  await eventually(async () => {
    if (!await searching.isVisible()) await button.click();
    return searching.fill('', { timeout: 3000 }).then(() => true, () => false);
  }, { within: 60_000 });
  return searching;
}

/** The button that opens the list beside a field. */
export function pickerOf(page: Page, field: string): Locator {
  return page.locator('.lanpost-pick', { has: page.locator(field) }).locator('button');
}

/** Opens the list beside a field, looks for something in it, and takes it. */
export async function pick(page: Page, field: string, search: string, choice: string): Promise<void> {
  const taken = page.locator(`.lanpost-picker-choice[data-value="${choice}"]`);
  await eventually(async () => {
    const searching = await openPicker(page, pickerOf(page, field));
    return searching.fill(search, { timeout: 3000 }).then(() => taken.click({ timeout: 10_000 })).then(() => true, () => false);
  }, { within: 60_000 });
}

/** Takes one of the values of a field that has some. */
export async function chooseIn(page: Page, shown: Locator, words: string): Promise<void> {
  await settled(page);
  const options = page.locator('.red-ui-typedInput-options:visible');
  await eventually(async () => {
    if (!await options.isVisible()) await shown.locator('.red-ui-typedInput-option-trigger').first().click();
    const taken = await options.getByText(words, { exact: true }).click({ timeout: 3000 }).then(() => true, () => false);
    return taken && (await shown.innerText()).includes(words);
  }, { within: 60_000 });
}

/** Words of the dialog that is open for which there is no room: labels of more than one line, and what is cut off in fields and choices. `words`: those of its node. */
export async function cramped(page: Page, words: Readonly<Record<string, unknown>>): Promise<string[]> {
  await settled(page);
  return page.evaluate((known) => {
    interface Shown { readonly offsetParent: unknown; readonly innerText: string; readonly clientWidth: number; readonly scrollWidth: number; readonly placeholder: string; readonly offsetHeight: number; readonly id: string; readonly nextElementSibling: { querySelector(of: string): Shown | null } | null }
    const dialogs = [...document.querySelectorAll('.red-ui-editor')];
    const all = (of: string): Shown[] => ([...dialogs.at(-1)?.querySelectorAll(of) ?? []] as unknown as Shown[]).filter((one) => one.offsetParent !== null);
    const pen = document.createElement('canvas').getContext('2d')!;
    const isCut = (text: string, one: Shown): boolean => {
      const style = getComputedStyle(one as unknown as Parameters<typeof getComputedStyle>[0]);
      pen.font = style.font;
      return pen.measureText(text).width > one.clientWidth - Number.parseFloat(style.paddingLeft) - Number.parseFloat(style.paddingRight);
    };
    const labels = all('.form-row > label').filter((one) => one.offsetHeight > 32).map((one) => one.innerText);
    const placeholders = all('input').filter((one) => one.placeholder && isCut(one.placeholder, one)).map((one) => one.placeholder);
    const options = all('.red-ui-typedInput-container').flatMap((one) => {
      const label = (one as unknown as { querySelector(of: string): Shown | null }).querySelector('.red-ui-typedInput-option-label');
      const field = (one as unknown as { previousElementSibling: { id: string } | null }).previousElementSibling?.id.replace('lanpost-shown-', '');
      const choices = field === undefined ? undefined : known[`${field}s`];
      return label?.offsetParent && typeof choices === 'object' ? Object.values(choices as object).filter((text) => isCut(String(text), label)).map(String) : [];
    });
    return [...labels, ...placeholders, ...options];
  }, words);
}

/** Deploys, and waits until that is done. */
export async function deploy(page: Page): Promise<void> {
  await page.locator('#red-ui-header-button-deploy').click();
  await page.waitForFunction(() => !(globalThis as EditorWindow).RED.nodes.dirty(), null, { timeout: 60_000 });
}

/** Drags a node from the palette to a place on the canvas. */
export async function dragNode(page: Page, type: string, x: number, y: number): Promise<Locator> {
  const ids = (): Promise<string[]> => page.evaluate((wanted) => (globalThis as EditorWindow).RED.nodes.filterNodes({ type: wanted }).map((one) => one.id), type);
  const before = await ids();
  const source = page.locator(`.red-ui-palette-node[data-palette-type="${type}"]`);
  await source.scrollIntoViewIfNeeded();
  const from = (await source.boundingBox())!;
  const canvas = (await page.locator('#red-ui-workspace-chart').boundingBox())!;
  await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
  await page.mouse.down();
  await page.mouse.move(canvas.x + x - 40, canvas.y + y, { steps: 6 });
  await page.mouse.move(canvas.x + x, canvas.y + y, { steps: 6 });
  await page.mouse.up();
  const added = async (): Promise<string | undefined> => (await ids()).find((one) => !before.includes(one));
  await eventually(async () => (await added()) !== undefined, { within: 40_000 });
  return page.locator(`[id="${await added()}"]`);
}

/** From an output of one node to the input of another. */
export async function wireNodes(page: Page, from: Locator, to: Locator, output = 0): Promise<void> {
  const start = (await from.locator('.red-ui-flow-port-output .red-ui-flow-port').nth(output).boundingBox())!;
  const end = (await to.locator('.red-ui-flow-port-input .red-ui-flow-port').first().boundingBox())!;
  await page.mouse.move(start.x + start.width / 2, start.y + start.height / 2);
  await page.mouse.down();
  await page.mouse.move(end.x - 20, end.y + end.height / 2, { steps: 8 });
  await page.mouse.move(end.x + end.width / 2, end.y + end.height / 2, { steps: 4 });
  await page.mouse.up();
}

/** Takes an example of this package from the import dialog, into new tabs; gives the names of all that are there. */
export async function importExample(page: Page, name: string): Promise<string[]> {
  await page.evaluate(() => { (globalThis as EditorWindow).RED.actions.invoke('core:show-examples-import-dialog'); });
  const labels = page.locator('#red-ui-clipboard-dialog-import-tab-examples .red-ui-treeList-label-text');
  const entry = (text: string): Locator => labels.filter({ hasText: new RegExp(`^${text}$`) });
  const ok = page.locator('#red-ui-clipboard-dialog-ok:not(.ui-state-disabled)');
  // The list moves while it unfolds: a click may come to another line.
  const choose = (one: Locator, then: Locator): Promise<void> => eventually(async () => {
    if (!await then.isVisible()) await one.click();
    return then.waitFor({ timeout: 3000 }).then(() => true, () => false);
  }, { within: 60_000 });
  // Examples of this package come before those of Node-RED, which has a folder of that name, too.
  await choose(entry('lanpost'), entry('node-red').nth(1));
  await choose(entry('node-red').first(), entry(name));
  const all = await labels.allInnerTexts();
  await choose(entry(name), ok);
  await ok.click();
  await ok.waitFor({ state: 'hidden' });
  return all.slice(all.indexOf('node-red') + 1, all.lastIndexOf('node-red'));
}

/** Imports what somebody has been given as text, into the tab that is shown or tabs of its own. */
export async function importText(page: Page, flows: string): Promise<void> {
  await page.evaluate(() => { (globalThis as EditorWindow).RED.actions.invoke('core:show-import-dialog'); });
  const text = page.locator('#red-ui-clipboard-dialog-import-text');
  await text.fill(flows);
  // The editor looks at what is there when a key is let go, and filling presses none.
  await text.press('End');
  const ok = page.locator('#red-ui-clipboard-dialog-ok:not(.ui-state-disabled)');
  await ok.click();
  await ok.waitFor({ state: 'hidden' });
}
