import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesBelow, readSource, readSources } from './sources.ts';

const ours = [...filesBelow('src'), ...filesBelow('nodes'), ...filesBelow('examples'), ...filesBelow('test')];

describe('files', () => {
  it('are called what they hold, never a drawer', () => {
    const drawers = /^(utils?|helpers?|managers?|common|misc|types|shared|lib)\.|-(utils?|helpers?|manager)\./;
    expect(ours.filter((path) => drawers.test(basename(path)))).toEqual([]);
  });

  it('have names in kebab-case', () => {
    const odd = ours.filter((path) => path.endsWith('.ts') && !/^[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.ts$/.test(basename(path)));
    expect(odd).toEqual([]);
  });

  it('do not await at their top level, for Node-RED 4 loads the nodes with require()', () => {
    const waiting = [...readSources('src'), ...readSources('nodes')].filter((source) => source.hasTopLevelAwait);
    expect(waiting.map((source) => source.path)).toEqual([]);
  });

  it('name what they export: no `export *`, and the public door re-exports explicitly and does nothing else', () => {
    const stars = [...readSources('src'), ...readSources('nodes')].filter((source) => source.hasStarExport);
    expect(stars.map((source) => source.path)).toEqual([]);
    const door = readSource('src/index.ts');
    const statements = door.text.replaceAll(/\/\/.*$|\/\*[^]*?\*\//gm, '').split(';').map((text) => text.trim()).filter(Boolean);
    expect(statements.filter((text) => !/^export (type )?\{[^}]*\} from '[^']+'$/.test(text))).toEqual([]);
  });
});

describe('the reader of sources', () => {
  it('sees imports of every form, and a top-level await', () => {
    const self = readSource('test/house/sources.ts');
    expect(self.imports.map(({ specifier }) => specifier)).toEqual(['node:fs', 'node:path', 'vitest/node', '../support/root.ts']);
    expect(self.hasTopLevelAwait).toBe(false);
    const late = readSource('src/box.ts').imports.filter((one) => one.late);
    expect(late.map(({ target }) => target)).toEqual(['src/store.ts', 'src/assembly.ts', 'src/on-link.ts']);
  });
});
