/** A level of filters: what follows it, by level, and who reads from here. */
interface Branch<T> {
  readonly next: Map<string, Branch<T>>;
  /** Filters that end here. */
  readonly ends: Set<T>;
  /** Filters whose `#` stands here. */
  readonly rest: Set<T>;
}

/** Who reads what by filter, so that finding who reads one topic takes its levels and not all the filters there are. */
export class FilterTree<T> {
  readonly #root: Branch<T> = branch();

  add(filter: string, one: T): void {
    const { at, any } = this.#walk(filter);
    (any ? at.rest : at.ends).add(one);
  }

  /** Whether it was there. */
  delete(filter: string, one: T): boolean {
    const levels = filter.split('/');
    const any = levels.at(-1) === '#';
    const path: [Branch<T>, string][] = [];
    let at = this.#root;
    for (const level of any ? levels.slice(0, -1) : levels) {
      const next = at.next.get(level);
      if (!next) return false;
      path.push([at, level]);
      at = next;
    }
    const found = (any ? at.rest : at.ends).delete(one);
    for (const [before, level] of path.toReversed()) {
      if (at.next.size + at.ends.size + at.rest.size > 0) break;
      before.next.delete(level);
      at = before;
    }
    return found;
  }

  /** Everyone whose filter matches the topic (filter.ts says what that means). */
  of(topic: string): T[] {
    const found: T[] = [];
    const levels = topic.split('/');
    const reserved = topic.startsWith('$');
    const visit = (at: Branch<T>, depth: number): void => {
      const wild = depth > 0 || !reserved;
      if (wild) found.push(...at.rest);
      if (depth === levels.length) {
        for (const one of at.ends) found.push(one);
        return;
      }
      const exact = at.next.get(levels[depth]!);
      if (exact) visit(exact, depth + 1);
      const plus = wild ? at.next.get('+') : undefined;
      if (plus) visit(plus, depth + 1);
    };
    visit(this.#root, 0);
    return found;
  }

  #walk(filter: string): { readonly at: Branch<T>; readonly any: boolean } {
    const levels = filter.split('/');
    const any = levels.at(-1) === '#';
    let at = this.#root;
    for (const level of any ? levels.slice(0, -1) : levels) {
      const next = at.next.get(level) ?? branch<T>();
      at.next.set(level, next);
      at = next;
    }
    return { at, any };
  }
}

function branch<T>(): Branch<T> {
  return { next: new Map(), ends: new Set(), rest: new Set() };
}
