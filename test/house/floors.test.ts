import { describe, expect, it } from 'vitest';
import { MAY_IMPORT, roomOf, TYPES_ONLY } from './rooms.ts';
import { readSources, type Source } from './sources.ts';

const sources = [...readSources('src'), ...readSources('nodes'), ...readSources('examples')];

describe('the floors', () => {
  it('every file lies in a room that the house knows', () => {
    expect(sources.map((source) => source.path).filter((path) => !Object.hasOwn(MAY_IMPORT, roomOf(path)))).toEqual([]);
  });

  it('a room imports only from the rooms below it', () => {
    const wrong: string[] = [];
    for (const { path, imports } of sources) {
      const room = roomOf(path);
      for (const { target, typeOnly } of imports) {
        if (target === undefined) continue;
        const other = roomOf(target);
        const allowed = other === room || MAY_IMPORT[room]?.includes(other) || (typeOnly && TYPES_ONLY[room]?.includes(other));
        if (!allowed) wrong.push(`${path} imports ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('a room with a table below it stays below: the table itself has no cycle', () => {
    const above = (room: string, seen: readonly string[]): string[] => seen.includes(room) ? [...seen, room]
      : [...(MAY_IMPORT[room] ?? []), ...(TYPES_ONLY[room] ?? [])].flatMap((other) => above(other, [...seen, room]));
    expect(Object.keys(MAY_IMPORT).flatMap((room) => above(room, []))).toEqual([]);
  });
});

describe('what is loaded late', () => {
  it('is named where it is loaded', () => {
    expect(sources.filter(({ imports }) => imports.some(({ specifier }) => specifier === '(computed)')).map(({ path }) => path)).toEqual([]);
  });

  it('is not reached by a box that is alone: what speaks with homes, peers, programs and other boxes, and TLS', () => {
    const { files, packages } = loaded(['src/index.ts', 'src/store.ts', 'src/assembly.ts', 'src/on-link.ts']);
    expect(files).toContain('src/mdns/mdns.ts');
    expect(['src/home/home.ts', 'src/link/streams/stream.ts', 'src/link/files/files.ts', 'src/control/caller.ts', 'src/control/attachment.ts'].filter((path) => files.has(path))).toEqual([]);
    expect(['node:tls', 'node:http', 'node:vm', 'pkijs', 'asn1js', '@cfworker/json-schema'].filter((name) => packages.has(name))).toEqual([]);
  });

  it('is what is on the link, for a box that is not', () => {
    const { files, packages } = loaded(['src/index.ts', 'src/store.ts', 'src/assembly.ts']);
    expect(['src/mdns/mdns.ts', 'src/link/link.ts', 'src/link/streams/streams.ts'].filter((path) => files.has(path))).toEqual([]);
    expect(['node:dgram', 'multicast-dns'].filter((name) => packages.has(name))).toEqual([]);
  });

  it('is all of the box, for a program that only attaches to one', () => {
    expect([...loaded(['src/index.ts']).files].filter((path) => /^src\/(log|link|mdns|home|xmpp|pubsub|mail|trust)\//.test(path))).toEqual([]);
  });

  it('is not level: it is required, for reasons given there', () => {
    expect(sources.filter(({ imports }) => imports.some(({ specifier, typeOnly }) => specifier === 'level' && !typeOnly)).map(({ path }) => path)).toEqual([]);
  });
});

/** What Node loads with these files, at once. */
function loaded(from: readonly string[]): { files: Set<string>; packages: Set<string> } {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const files = new Set<string>();
  const packages = new Set<string>();
  const walk = (path: string): void => {
    if (files.has(path)) return;
    files.add(path);
    for (const { specifier, target, typeOnly, late } of byPath.get(path)?.imports ?? []) {
      if (typeOnly || late) continue;
      if (target === undefined) packages.add(specifier);
      else walk(target);
    }
  };
  for (const path of from) walk(path);
  return { files, packages };
}

describe('cycles', () => {
  it('no file imports itself by way of others', () => {
    const byPath = new Map(sources.map((source) => [source.path, source]));
    expect(findCycle(byPath)).toEqual([]);
  });
});

/** The files of one cycle in order, or none. Type-only imports count: a cycle of types is a cycle for the reader. */
function findCycle(byPath: ReadonlyMap<string, Source>): string[] {
  const done = new Set<string>();
  const walk = (path: string, trail: readonly string[]): string[] => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return [];
    for (const { target } of byPath.get(path)?.imports ?? []) {
      if (target === undefined) continue;
      const cycle = walk(target, [...trail, path]);
      if (cycle.length > 0) return cycle;
    }
    done.add(path);
    return [];
  };
  for (const path of byPath.keys()) {
    const cycle = walk(path, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}
