import type { ServerResponse } from 'node:http';
import type { Sections } from './look.ts';

/** One open page: server-sent events, of each section the newest and only when it is another. */
export class Watcher {
  /** Words that the topics it shows have. */
  readonly search: string;
  readonly #response: ServerResponse;
  readonly #sent: Map<string, string> = new Map();
  /** What waits while the page takes nothing: never more than one of each. */
  #waiting: Partial<Sections> | undefined;

  constructor(response: ServerResponse, search: string) {
    this.#response = response;
    this.search = search;
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    response.write('retry: 2000\n\n');
    response.on('drain', () => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting) this.show(waiting);
    });
  }

  show(sections: Partial<Sections>): void {
    if (this.#response.writableNeedDrain) {
      this.#waiting = { ...this.#waiting, ...sections };
      return;
    }
    for (const [name, section] of Object.entries(sections)) {
      const data = JSON.stringify(section);
      if (this.#sent.get(name) === data) continue;
      this.#sent.set(name, data);
      this.#response.write(`event: ${name}\ndata: ${data}\n\n`);
    }
  }

  end(): void {
    this.#response.end();
  }
}
