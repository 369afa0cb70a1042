// SCRAM (RFC 5802, RFC 7677) as a client: the password never leaves, and the server must prove it knows it.
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

export const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl';

const derive = promisify(pbkdf2);
/** Strongest first. */
const HASHES = {
  'SCRAM-SHA-512': { name: 'sha512', bytes: 64 }, 'SCRAM-SHA-256': { name: 'sha256', bytes: 32 }, 'SCRAM-SHA-1': { name: 'sha1', bytes: 20 },
} as const;
type ScramHash = keyof typeof HASHES;
export type ScramMechanism = ScramHash | `${ScramHash}-PLUS`;
export type Mechanism = ScramMechanism | 'PLAIN';

const SCRAM = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1'] as const satisfies readonly ScramHash[];

/** What ties the login to this one TLS connection (RFC 5056, RFC 5802 §6). */
export interface ChannelBinding {
  readonly type: string;
  readonly data: Uint8Array;
}

/** A hostile server must not keep a small box busy for minutes; RFC 7677 §4 asks for at least 4096. */
const MIN_ITERATIONS = 4096;
const MAX_ITERATIONS = 1_000_000;

export class SaslError extends Error {
  override readonly name = 'SaslError';
  /** RFC 6120 §6.5 condition, or what the client found wrong. */
  readonly condition: string;

  constructor(condition: string, text?: string) {
    super(text === undefined ? condition : `${condition}: ${text}`);
    this.condition = condition;
  }
}

/** Whether there is a login in which both sides prove that they know the password. */
export function offersScram(offered: readonly string[]): boolean {
  return SCRAM.some((hash) => offered.includes(hash) || offered.includes(`${hash}-PLUS`));
}

/** Whether the server binds logins to their connection at all. */
export function offersBinding(offered: readonly string[]): boolean {
  return SCRAM.some((hash) => offered.includes(`${hash}-PLUS`));
}

/**
 * A bound login first, whatever its hash: it shows who sits in between, which no hash does. PLAIN only where the
 * owner allows it; the caller sees to it that this is inside TLS.
 */
export function chooseMechanism(offered: readonly string[], options: { readonly plain?: boolean; readonly binding?: boolean } = {}): Mechanism | undefined {
  if (options.binding === true) for (const hash of SCRAM) if (offered.includes(`${hash}-PLUS`)) return `${hash}-PLUS`;
  for (const hash of SCRAM) if (offered.includes(hash)) return hash;
  return options.plain === true && offered.includes('PLAIN') ? 'PLAIN' : undefined;
}

export function plainMessage(username: string, password: string): Buffer {
  return Buffer.from(`\0${username}\0${password}`);
}

/** SASLprep (RFC 4013) as far as Node has it: NFKC, no controls, odd spaces to plain ones. */
function prepare(text: string): string {
  const prepared = text.replace(/[\u00A0\u1680\u2000-\u200A\u202F\u205F\u3000]/g, ' ').replace(/[\u00AD\u200B-\u200D\u2060\uFEFF]/g, '').normalize('NFKC');
  if (/[\p{Cc}\p{Surrogate}]/u.test(prepared)) throw new SaslError('malformed-request', 'the name or password holds control characters');
  return prepared;
}

function hashOf(mechanism: ScramMechanism): ScramHash {
  return SCRAM.find((hash) => mechanism === hash || mechanism === `${hash}-PLUS`) ?? 'SCRAM-SHA-1';
}

export class ScramClient {
  readonly mechanism: ScramMechanism;
  readonly #gs2: string;
  readonly #binding: ChannelBinding | undefined;
  readonly #password: string;
  readonly #nonce: string;
  readonly #bareFirst: string;
  #serverSignature: Buffer | undefined;

  /**
   * `binding`: for the `-PLUS` mechanisms. `unoffered`: this side could bind, but the server did not offer it; a server
   * that did, and whose offer somebody took away, then refuses (RFC 5802 §6).
   */
  constructor(mechanism: ScramMechanism, credentials: { readonly username: string; readonly password: string; readonly nonce?: string }, options: { readonly binding?: ChannelBinding; readonly unoffered?: boolean } = {}) {
    this.mechanism = mechanism;
    this.#binding = mechanism.endsWith('-PLUS') ? options.binding : undefined;
    if (mechanism.endsWith('-PLUS') && !this.#binding) throw new SaslError('invalid-mechanism', `${mechanism} without a channel to bind to`);
    this.#gs2 = this.#binding ? `p=${this.#binding.type},,` : options.unoffered === true ? 'y,,' : 'n,,';
    this.#password = prepare(credentials.password);
    this.#nonce = credentials.nonce ?? randomBytes(24).toString('base64');
    const name = prepare(credentials.username).replaceAll('=', '=3D').replaceAll(',', '=2C');
    this.#bareFirst = `n=${name},r=${this.#nonce}`;
  }

  /** client-first-message. */
  first(): Buffer {
    return Buffer.from(`${this.#gs2}${this.#bareFirst}`);
  }

  /** client-final-message for the server-first-message. */
  async respond(challenge: Uint8Array): Promise<Buffer> {
    const serverFirst = Buffer.from(challenge).toString();
    const found = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=(\d{1,9})(?:,.*)?$/.exec(serverFirst);
    const [, nonce = '', salt = '', count = ''] = found ?? [];
    if (!found) throw new SaslError('malformed-request', 'the server-first message is not SCRAM');
    // RFC 5802 §5.1: the nonce must begin with ours, and the server must have added to it.
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length) throw new SaslError('not-authorized', 'the server changed the nonce');
    const iterations = Number(count);
    if (iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS) throw new SaslError('not-authorized', `${count} iterations are outside ${MIN_ITERATIONS} to ${MAX_ITERATIONS}`);

    const hash = HASHES[hashOf(this.mechanism)];
    const salted = await derive(this.#password, Buffer.from(salt, 'base64'), iterations, hash.bytes, hash.name);
    const hmac = (key: Uint8Array, text: string): Buffer => createHmac(hash.name, key).update(text).digest();
    const clientKey = hmac(salted, 'Client Key');
    const storedKey = createHash(hash.name).update(clientKey).digest();
    const bound = Buffer.concat([Buffer.from(this.#gs2), this.#binding?.data ?? new Uint8Array()]).toString('base64');
    const withoutProof = `c=${bound},r=${nonce}`;
    const authMessage = `${this.#bareFirst},${serverFirst},${withoutProof}`;
    const signature = hmac(storedKey, authMessage);
    const proof = clientKey.map((byte, i) => byte ^ (signature[i] ?? 0));
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), authMessage);
    return Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`);
  }

  /** Checks the server-final-message; throws unless the server has proven that it knows the password. */
  verify(success: Uint8Array): void {
    const found = /^v=([A-Za-z0-9+/]+={0,2})(?:,.*)?$/.exec(Buffer.from(success).toString());
    const claimed = Buffer.from(found?.[1] ?? '', 'base64');
    const expected = this.#serverSignature;
    if (!expected || claimed.length !== expected.length || !timingSafeEqual(claimed, expected)) {
      throw new SaslError('server-not-authentic', 'the server did not prove that it knows the password');
    }
  }
}
