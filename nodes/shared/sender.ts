import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { Box } from '../../src/index.ts';
import { ageInWords } from './age-in-words.ts';
import type { BoxConnection, BoxState } from './box-connection.ts';
import { connectionOf, NO_BOX, onClose, type BoxUserDef } from './box-node.ts';
import { codeOf, inWords } from './in-words.ts';
import { NodeStatus } from './node-status.ts';

/** Messages that wait in one node; the next one fails with words, so that Catch sees it. */
const MAX_WAITING = 10_000;
/** Handed to the box at once; enough for one commit to be shared by many. */
const MAX_IN_FLIGHT = 256;
const BUSY_RETRY_MS = 200;
const FINISH_MS = 4000;

/** Hands what came of a message to the next nodes; one place per output. */
export type Send = (msg: NodeMessage | (NodeMessage | NodeMessage[] | null)[]) => void;

interface Job {
  readonly msg: NodeMessage;
  readonly send: Send;
  readonly done: (error?: Error) => void;
  /** When it came. */
  readonly since: number;
}

/** From then on the status says how old the oldest is. */
const OLD_MS = 60_000;

/**
 * The sending half of a node: messages wait for the box, go in order, and `done` is called
 * when what was asked for is true, with the error when it is not. Returns how the node sends one of its own, once
 * the flow has all its nodes.
 */
export function sendThrough(RED: NodeAPI, node: Node, def: BoxUserDef, task: {
  /** Past tense for the status, e.g. `published`. */
  readonly did: string;
  /** `closing` stops waiting for what comes after acceptance; until then it goes on. */
  deliver(box: Box, msg: NodeMessage, closing: AbortSignal, send: Send): Promise<void>;
}): ((msg: NodeMessage) => void) | undefined {
  const connection = connectionOf(RED, def);
  const status = new NodeStatus(node);
  if (!connection) {
    status.bad(NO_BOX);
    node.on('input', (_msg, _send, done) => done(new Error(NO_BOX)));
    onClose(node, async () => status.close());
    return undefined;
  }
  const sender = new Sender(connection, task, status);
  node.on('input', (msg, send, done) => sender.add({ msg, send, done, since: performance.now() }));
  onClose(node, () => sender.close());
  const started = connection.flowsStarted();
  return (msg) => {
    void started.then(() => sender.add({ msg, send: (sent) => node.send(sent), done: (error) => { if (error) node.error(error, msg); }, since: performance.now() }));
  };
}

class Sender {
  readonly #connection: BoxConnection;
  readonly #task: Parameters<typeof sendThrough>[3];
  readonly #status: NodeStatus;
  /** Ends the wait for what comes after acceptance. */
  readonly #closing = new AbortController();
  /** Ends everything. */
  readonly #late = new AbortController();
  readonly #inFlight = new Set<Promise<void>>();
  readonly #leave: () => void;
  readonly #unwatch: () => void;
  #waiting: Job[] = [];
  #pumping: Promise<void> | undefined;
  #count = 0;
  #lastError: string | undefined;

  constructor(connection: BoxConnection, task: Parameters<typeof sendThrough>[3], status: NodeStatus) {
    this.#connection = connection;
    this.#task = task;
    this.#status = status;
    this.#leave = connection.enter();
    this.#unwatch = connection.watch((state) => this.#show(state));
  }

  add(job: Job): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#lastError = `${MAX_WAITING} messages wait already`;
      job.done(new Error(this.#lastError));
      this.#show();
      return;
    }
    this.#waiting.push(job);
    this.#pumping ??= this.#pump();
    if (this.#connection.state.phase !== 'open') this.#show();
  }

  /** What waits still goes to a box that is open: who sent it here may have confirmed it already. */
  async close(): Promise<void> {
    const reason = new Error('the flow was stopped or deployed again before this was sent');
    this.#unwatch();
    this.#closing.abort(reason);
    if (this.#connection.state.phase !== 'open') this.#late.abort(reason);
    const finished = new AbortController();
    await Promise.race([
      this.#finishAll(),
      sleep(FINISH_MS, undefined, { signal: finished.signal }).catch(() => undefined), // aborted just below
    ]);
    finished.abort();
    this.#late.abort(reason);
    for (const job of this.#waiting.splice(0)) job.done(reason);
    this.#leave();
    this.#status.close();
  }

  async #finishAll(): Promise<void> {
    await nextTurn(); // what other nodes sent just now comes in then
    while (this.#pumping || this.#inFlight.size > 0) await Promise.all([this.#pumping, ...this.#inFlight]);
  }

  async #pump(): Promise<void> {
    const { signal } = this.#late;
    try {
      while (this.#waiting.length > 0) {
        const box = await this.#connection.box(signal);
        while (this.#waiting.length > 0 && this.#inFlight.size < MAX_IN_FLIGHT && !signal.aborted) {
          this.#start(box, this.#waiting.shift()!);
        }
        if (this.#waiting.length > 0) await Promise.race(this.#inFlight);
      }
    } catch (error) {
      // Only closing ends the wait for a box; everything that waited is told so.
      for (const job of this.#waiting.splice(0)) job.done(asError(error));
    } finally {
      this.#pumping = undefined;
    }
  }

  #start(box: Box, job: Job): void {
    const work = this.#finish(box, job).finally(() => {
      this.#inFlight.delete(work);
      this.#show();
    });
    this.#inFlight.add(work);
  }

  async #finish(box: Box, job: Job): Promise<void> {
    try {
      await this.#deliver(box, job);
    } catch (error) {
      this.#lastError = inWords(error);
      job.done(asError(error));
      return;
    }
    this.#count++;
    this.#lastError = undefined;
    job.done();
  }

  async #deliver(box: Box, job: Job): Promise<void> {
    for (;;) {
      try {
        return await this.#task.deliver(box, job.msg, this.#closing.signal, job.send);
      } catch (error) {
        // Refused before anything was stored: trying again cannot double it.
        if (codeOf(error) !== 'busy' || this.#late.signal.aborted) throw error;
        await sleep(BUSY_RETRY_MS, undefined, { signal: this.#late.signal }).catch(() => undefined); // aborted: the last try
      }
    }
  }

  #show(state: BoxState = this.#connection.state): void {
    // First, because a long reason is cut off at its end.
    const [oldest] = this.#waiting;
    const age = oldest === undefined ? 0 : performance.now() - oldest.since;
    const waiting = oldest === undefined ? '' : `${this.#waiting.length} waiting${age < OLD_MS ? '' : `, oldest ${ageInWords(age)}`}: `;
    if (this.#closing.signal.aborted) return;
    if (state.phase === 'failed') this.#status.bad(`${waiting}${state.reason}`);
    else if (state.phase !== 'open') this.#status.waiting(`${waiting}opening the box`);
    else if (this.#lastError !== undefined) this.#status.bad(this.#lastError);
    else if (this.#waiting.length > 0 && this.#inFlight.size >= MAX_IN_FLIGHT) this.#status.waiting(`${waiting}${this.#task.did} ${this.#count}`);
    else if (this.#count > 0) this.#status.good(`${this.#task.did} ${this.#count}`);
    else this.#status.idle('ready');
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
