// How many items a service lets a node keep, where it does not say how many `max` are: ejabberd tells only by refusing more.
import { StanzaError } from '../xmpp/stanza-error.ts';
import { createRequest } from './node.ts';
import { deleteRequest, orNothing, type Request } from './node-info.ts';

const TELLS_NOTHING: ReadonlySet<string> = new Set(['conflict', 'remote-server-timeout']);

interface Known {
  /** So many it let one keep. */
  most: number;
  /** So many it did not. */
  refused: number;
  /** It makes nodes that keep as many as they may: where it made none, refusing says nothing. */
  makes: boolean | undefined;
}

/**
 * Asked of a node that is made for that: one that holds something would drop the rest, and keep no more when the session ends before
 * it is told `max` again. What was answered holds for all nodes of the service, as long as the session lasts.
 */
export class Allowance {
  readonly #spare: string;
  readonly #request: Request;
  readonly #known = new Map<string, Known>();
  #asking: Promise<unknown> = Promise.resolve();
  #session = {};

  /** `spare`: a node's name that is this box's to use. */
  constructor(spare: string, request: Request) {
    this.#spare = spare;
    this.#request = request;
  }

  /** Another session. */
  begin(): void {
    this.#known.clear();
    this.#session = {};
    this.#asking = Promise.resolve();
  }

  /** Whether it lets a node keep so many; undefined where that cannot be told. One after the other: they ask of the same node. */
  lets(service: string, items: number): Promise<boolean | undefined> {
    const session = this.#session;
    const asked = this.#asking.then(() => (session === this.#session ? this.#ask(service, items) : undefined));
    this.#asking = asked.catch(() => undefined); // that is for whoever asked
    return asked;
  }

  async #ask(service: string, items: number): Promise<boolean | undefined> {
    const known = this.#known.get(service) ?? { most: 0, refused: Infinity, makes: undefined };
    this.#known.set(service, known);
    if (items <= known.most) return true;
    if (items >= known.refused) return false;
    if (known.makes === false) return undefined;
    const removed = (): Promise<unknown> => orNothing(this.#request(deleteRequest(service, this.#spare)));
    /** Nothing: it is there, made by whoever else speaks for this box, or nobody answers in time. That is no refusal. */
    const makes = async (maxItems: string): Promise<boolean | undefined> => this.#request(createRequest(service, this.#spare, { accessModel: 'whitelist', maxItems })).then(() => true, (error: unknown) => {
      if (!(error instanceof StanzaError)) throw error;
      return TELLS_NOTHING.has(error.condition) ? undefined : false;
    });
    if (known.makes === undefined) await removed(); // left by a process that was killed in between
    let many = await makes(String(items));
    if (many === undefined) {
      await removed();
      many = await makes(String(items));
    }
    if (many === undefined) return undefined;
    const any = many || (known.makes === undefined && await makes('max') === true);
    if (any) await removed();
    known.makes ??= any;
    if (!known.makes) return undefined;
    if (many) known.most = items;
    else known.refused = items;
    return many;
  }
}
