import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import type { HomeServer } from '../support/homes.ts';
import { readJsonLines, type JsonLines } from '../support/json-lines.ts';
import type { Lan } from '../support/lan.ts';
import { ROOT } from '../support/root.ts';

interface Line { readonly re?: number; readonly answer?: unknown; readonly error?: string; readonly ready?: true }
/** `previous`: the record that it says comes before it in its topic. `publisher`: who sent it last, where the service says so. `n`: the number of a reading that came unchanged. */
export interface HeldRecord { readonly recordId: string; readonly previous?: number; readonly publisher?: string; readonly n?: number }
export interface Held { readonly records: readonly HeldRecord[]; readonly packs: number; readonly items: number }

/** Looks at a home's nodes on their owner's behalf; see witness.mjs. */
export class Witness implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #said: JsonLines<Line>;
  #count = 0;

  constructor(lan: Lan, host: number, server: HomeServer) {
    const { jid, password } = server.account('edge1');
    this.#child = lan.exec(host, process.execPath, [join(ROOT, 'test/chaos/witness.mjs'), lan.address(host), String(server.port), server.ca, jid, password, server.service]);
    this.#said = readJsonLines<Line>(this.#child, 'witness');
  }

  async #ask(what: string, node: string): Promise<unknown> {
    const re = ++this.#count;
    this.#child.stdin.write(`${JSON.stringify({ do: what, re, node })}\n`);
    const { answer, error } = await this.#said.wait((line) => line.re === re, { timeout: 60_000 });
    if (error !== undefined) throw new Error(`the witness: ${error}`);
    return answer;
  }

  /** All records that the node holds, as often as it does, packed or alone. */
  async of(node: string): Promise<Held> {
    return await this.#ask('items', node) as Held;
  }

  async deleteNode(node: string): Promise<void> {
    await this.#ask('delete', node);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#said.ended;
  }
}
