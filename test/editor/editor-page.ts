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

/** Opens the dialog of a node, as a person does. */
export async function openDialog(page: Page, node: Locator): Promise<void> {
  // Where others have the machine, two clicks come too far apart to be one double click.
  await eventually(async () => {
    const at = (await node.boundingBox())!;
    await page.mouse.dblclick(at.x + at.width / 2, at.y + 15);
    return page.locator('#node-dialog-ok').waitFor({ timeout: 10_000 }).then(() => true, () => false);
  }, { within: 60_000 });
}

/** Deploys, and waits until that is done. */
export async function deploy(page: Page): Promise<void> {
  await page.locator('#red-ui-header-button-deploy').click();
  await page.waitForFunction(() => !(globalThis as EditorWindow).RED.nodes.dirty(), null, { timeout: 60_000 });
}
