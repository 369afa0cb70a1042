import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { ROOT } from '../support/root.ts';

/** What the editor makes of what the nodes say. */
export interface Said {
  known(table: string, key: string): string | undefined;
  phrase(text: string): string | undefined;
  text(text: string): string;
}

/** The editor's own script, with the catalogue of a language. */
export function saidIn(language: string): Said {
  const catalogue: unknown = JSON.parse(readFileSync(join(ROOT, 'nodes/locales', language, 'lanpost-box.json'), 'utf8'));
  /** As i18next does: by the path, and the path itself when there is nothing. */
  const words = (key: string): string => {
    const path = key.slice(key.indexOf(':') + 1);
    const found = path.split('.').reduce<unknown>((at, part) => (typeof at === 'object' && at !== null && Object.hasOwn(at, part) ? (at as Record<string, unknown>)[part] : undefined), catalogue);
    return typeof found === 'string' ? found : path;
  };
  const window: { lanpost?: { said: Said } } = {};
  runInNewContext(readFileSync(join(ROOT, 'resources/lanpost-said.js'), 'utf8'), { window, RED: { _: words, events: { on: () => undefined } } });
  if (!window.lanpost) throw new Error('the script made nothing');
  return window.lanpost.said;
}
