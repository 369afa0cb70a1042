type Index = typeof import('../../src/index.ts');
type EditorModule = typeof import('../../src/editor/editor.ts');

/** What is shipped, from dist/: Node-RED loads nodes with its own loader, and that takes no TypeScript. */
export async function shipped(): Promise<Pick<Index, 'createBox' | 'attachBox'> & EditorModule> {
  const at = (path: string): string => new URL(`../../dist/src/${path}`, import.meta.url).href;
  const index: Index = await import(/* @vite-ignore */ at('index.js'));
  const editor: EditorModule = await import(/* @vite-ignore */ at('editor/editor.js'));
  return { createBox: index.createBox, attachBox: index.attachBox, startEditor: editor.startEditor };
}
