import { late } from '../../late.ts';

/** What streams need: XML, TLS, a certificate. */
export interface Loaded {
  readonly stream: typeof import('./stream.ts');
  readonly negotiation: typeof import('./negotiation.ts');
  readonly cert: string;
}

/** The code of streams, there from the first one on: a box that is alone on its link does without. */
export class StreamCode {
  readonly #certificate: () => Promise<string>;
  #loaded: Loaded | undefined;
  #loading: Promise<Loaded> | undefined;

  constructor(certificate: () => Promise<string>) {
    this.#certificate = certificate;
  }

  get loaded(): Loaded | undefined {
    return this.#loaded;
  }

  load(): Promise<Loaded> {
    this.#loading ??= this.#load().finally(() => { this.#loading = undefined; });
    return this.#loading;
  }

  async #load(): Promise<Loaded> {
    const [stream, negotiation] = await late('What speaks with peers', () => Promise.all([import('./stream.ts'), import('./negotiation.ts')]));
    this.#loaded = { stream, negotiation, cert: await this.#certificate() };
    return this.#loaded;
  }
}
