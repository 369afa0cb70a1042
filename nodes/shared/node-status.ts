import type { Node, NodeStatus as Shown } from 'node-red';

const INTERVAL_MS = 250;
const MAX_TEXT = 60;

/** A node's status line: always the newest, at most four times a second. */
export class NodeStatus {
  readonly #node: Pick<Node, 'status'>;
  #wanted: Shown | undefined;
  #shown = '';
  #timer: NodeJS.Timeout | undefined;
  #say: (() => void) | undefined;

  constructor(node: Pick<Node, 'status'>) {
    this.#node = node;
  }

  good(text: string): void { this.#show({ fill: 'green', shape: 'dot', text }); }
  idle(text: string): void { this.#show({ fill: 'grey', shape: 'ring', text }); }
  waiting(text: string): void { this.#show({ fill: 'yellow', shape: 'ring', text }); }
  bad(text: string): void { this.#show({ fill: 'red', shape: 'ring', text }); }

  /** There is something else to say, which is put into words when it may be shown: most of it never is. */
  changed(say: () => void): void {
    if (this.#timer === undefined) say();
    else this.#say = say;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#say = undefined;
    this.#wanted = undefined;
    this.#node.status({});
  }

  #show(status: Shown): void {
    this.#wanted = status;
    this.#say = undefined;
    if (this.#timer === undefined) this.#flush();
  }

  #flush(): void {
    this.#say?.();
    const wanted = this.#wanted;
    this.#wanted = undefined;
    this.#timer = undefined;
    if (!wanted) return;
    const text = wanted.text ?? '';
    const cut = { ...wanted, text: text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text };
    const key = JSON.stringify(cut);
    if (key !== this.#shown) {
      this.#shown = key;
      this.#node.status(cut);
    }
    this.#timer = setTimeout(() => this.#flush(), INTERVAL_MS);
    this.#timer.unref();
  }
}
