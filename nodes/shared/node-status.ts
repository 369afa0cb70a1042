import type { Node, NodeStatus as Shown } from 'node-red';
import { shortened } from './status-text.ts';

const INTERVAL_MS = 250;
/** How often what is said of an age is put into words anew. */
const AGE_MS = 1000;

/** A node's status line: always the newest, at most four times a second. */
export class NodeStatus {
  readonly #node: Pick<Node, 'status'>;
  /** The newest, without what goes before it. */
  #said: Shown | undefined;
  #ahead = '';
  #wrong = '';
  #isNew = false;
  #shown = '';
  #timer: NodeJS.Timeout | undefined;
  #ageing: NodeJS.Timeout | undefined;
  #say: (() => void) | undefined;
  #closed = false;

  constructor(node: Pick<Node, 'status'>) {
    this.#node = node;
  }

  good(text: string): void { this.#show({ fill: 'green', shape: 'dot', text }); }
  /** It works, and something is not as it should be. */
  flawed(text: string): void { this.#show({ fill: 'yellow', shape: 'dot', text }); }
  idle(text: string): void { this.#show({ fill: 'grey', shape: 'ring', text }); }
  waiting(text: string): void { this.#show({ fill: 'yellow', shape: 'ring', text }); }
  bad(text: string): void { this.#show({ fill: 'red', shape: 'ring', text }); }

  /** There is something else to say, which is put into words when it may be shown: most of it never is. */
  changed(say: () => void): void {
    if (this.#timer === undefined) say();
    else this.#say = say;
  }

  /** What it says grows old although nothing happens: a second later it is put into words again, once however often this is asked for. */
  again(say: () => void): void {
    if (this.#closed || this.#ageing !== undefined) return;
    this.#ageing = setTimeout(() => {
      this.#ageing = undefined;
      this.changed(say);
    }, AGE_MS);
    this.#ageing.unref();
  }

  /** What another half of the node has to say first: as long as it is not empty, not all is well. */
  ahead(text: string): void {
    if (text === this.#ahead) return;
    this.#ahead = text;
    this.#renew();
  }

  /** What went wrong last of what it was asked, said behind how it stands; empty: it was done. */
  wrong(text: string): void {
    if (text === this.#wrong) return;
    this.#wrong = text;
    this.#renew();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#ageing);
    this.#say = undefined;
    this.#node.status({});
  }

  #show(status: Shown): void {
    this.#said = status;
    this.#say = undefined;
    this.#renew();
  }

  #renew(): void {
    this.#isNew = true;
    if (this.#timer === undefined && !this.#closed) this.#flush();
  }

  #flush(): void {
    const say = this.#say;
    this.#say = undefined;
    say?.();
    this.#timer = undefined;
    if (!this.#said || !this.#isNew) return;
    this.#isNew = false;
    const said = this.#wrong === '' ? this.#said : followed(this.#said, this.#wrong);
    const wanted = this.#ahead === '' ? said : preceded(this.#ahead, said);
    const short = { ...wanted, text: shortened(wanted.text ?? '') };
    const key = JSON.stringify(short);
    if (key !== this.#shown) {
      this.#shown = key;
      this.#node.status(short);
    }
    this.#timer = setTimeout(() => this.#flush(), INTERVAL_MS);
    this.#timer.unref();
  }
}

function followed({ text = '' }: Shown, wrong: string): Shown {
  return { fill: 'red', shape: 'ring', text: `${text} · ${wrong}` };
}

function preceded(ahead: string, { fill, text = '' }: Shown): Shown {
  return { fill: fill === 'red' ? fill : 'yellow', shape: 'ring', text: `${ahead}${text}` };
}
