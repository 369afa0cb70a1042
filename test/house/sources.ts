import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { parseAst } from 'vitest/node';
import { ROOT } from '../support/root.ts';

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** Path from the project's root, for a relative specifier. */
  readonly target?: string;
  readonly typeOnly: boolean;
  /** `import(…)`: loaded when the program comes to it. */
  readonly late: boolean;
}

export interface Source {
  /** Path from the project's root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
  readonly hasTopLevelAwait: boolean;
  /** `export * from …` without a name. */
  readonly hasStarExport: boolean;
  readonly exportsDefault: boolean;
}

export interface Syntax { readonly type: string; readonly [key: string]: unknown }

/** The paths of all files below a folder of the project, sorted. */
export function filesBelow(folder: string): string[] {
  try {
    return readdirSync(posix.join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => posix.relative(ROOT, posix.join(entry.parentPath, entry.name)))
      .toSorted();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

export function readSources(folder: string): Source[] {
  return filesBelow(folder).filter((path) => /\.(ts|js|mjs)$/.test(path)).map(readSource);
}

export function readSource(path: string): Source {
  const text = readFileSync(posix.join(ROOT, path), 'utf8');
  const imports: Import[] = [];
  const found = { topLevelAwait: false, starExport: false, exportsDefault: false };
  const add = (specifier: string, typeOnly: boolean, late = false): void => {
    imports.push({ specifier, typeOnly, late, ...(specifier.startsWith('.') ? { target: posix.join(posix.dirname(path), specifier) } : {}) });
  };
  const visit = (value: unknown, inFunction: boolean): void => {
    if (Array.isArray(value)) for (const one of value) visit(one, inFunction);
    if (!isSyntax(value)) return;
    const from = isSyntax(value['source']) && typeof value['source']['value'] === 'string' ? value['source']['value'] : undefined;
    switch (value.type) {
      case 'ImportDeclaration':
      case 'ExportNamedDeclaration':
      case 'ExportAllDeclaration':
        if (from !== undefined) add(from, isTypeOnly(value));
        if (value.type === 'ExportAllDeclaration' && value['exported'] === null) found.starExport = true;
        break;
      case 'ImportExpression':
        // What is imported must be written there, or nobody could check it.
        add(from ?? '(computed)', false, true);
        break;
      case 'TSImportType':
        if (from !== undefined) add(from, true);
        break;
      case 'ExportDefaultDeclaration':
        found.exportsDefault = true;
        break;
      case 'AwaitExpression':
        if (!inFunction) found.topLevelAwait = true;
        break;
      case 'ForOfStatement':
        if (!inFunction && value['await'] === true) found.topLevelAwait = true;
        break;
      case 'VariableDeclaration':
        if (!inFunction && value['kind'] === 'await using') found.topLevelAwait = true;
        break;
    }
    const isFunction = value.type.includes('Function') || value.type === 'PropertyDefinition';
    for (const child of Object.values(value)) if (typeof child === 'object') visit(child, inFunction || isFunction);
  };
  visit(parseAst(text, { lang: path.endsWith('.ts') ? 'ts' : 'js' }, path), false);
  return { path, text, imports, hasTopLevelAwait: found.topLevelAwait, hasStarExport: found.starExport, exportsDefault: found.exportsDefault };
}

/** Every piece of a program's syntax, the outer before the inner. */
export function* syntaxOf(text: string, lang: 'ts' | 'js' = 'ts'): Generator<Syntax> {
  yield* pieces(parseAst(text, { lang }));
}

function* pieces(value: unknown): Generator<Syntax> {
  if (Array.isArray(value)) for (const one of value) yield* pieces(one);
  if (!isSyntax(value)) return;
  yield value;
  for (const child of Object.values(value)) if (typeof child === 'object') yield* pieces(child);
}

function isSyntax(value: unknown): value is Syntax {
  return typeof value === 'object' && value !== null && typeof (value as Syntax).type === 'string';
}

/** `import type …`, or every name marked so. */
function isTypeOnly(statement: Syntax): boolean {
  if (statement['importKind'] === 'type' || statement['exportKind'] === 'type') return true;
  const names = statement['specifiers'];
  return Array.isArray(names) && names.length > 0
    && names.every((name: Syntax) => name['importKind'] === 'type' || name['exportKind'] === 'type');
}
