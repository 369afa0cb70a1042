import type { NodeStatus } from './node-status.ts';
import { heldUp } from './held-up.ts';
import { UnderWay } from './under-way.ts';

/** What one node waits for: its box, or an answer of it. Its status says so when that takes long. */
export class Asked {
  readonly #status: NodeStatus;
  readonly #waiting = new UnderWay<Promise<unknown>>();
  readonly #unanswered = new UnderWay<Promise<unknown>>();
  readonly #say = (): void => {
    this.#status.ahead(heldUp(this.#waiting, this.#unanswered));
    if (this.#waiting.size + this.#unanswered.size > 0) this.#status.again(this.#say);
  };

  constructor(status: NodeStatus) {
    this.#status = status;
  }

  /** What was asked of the box. */
  answer<T>(answer: Promise<T>): Promise<T> {
    return this.#until(answer, this.#unanswered);
  }

  /** Somebody else asked it that. */
  also(answer: Promise<unknown>): void {
    this.answer(answer).catch(() => undefined); // whoever asked is told
  }

  /** A question waits for it. */
  opened<T>(opened: Promise<T>): Promise<T> {
    return this.#until(opened, this.#waiting);
  }

  async #until<T>(settled: Promise<T>, among: UnderWay<Promise<unknown>>): Promise<T> {
    among.begin(settled);
    this.#status.again(this.#say);
    try {
      return await settled;
    } finally {
      among.end(settled);
      this.#say();
    }
  }
}
