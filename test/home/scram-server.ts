// SCRAM-SHA-256 (RFC 5802, RFC 7677) as a server, channel binding and all, from its own reading of the papers.
import { createHash, createHmac, pbkdf2Sync, randomBytes, X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

export interface ScramServerOptions {
  readonly password: string;
  readonly iterations: number;
  /** The connection, when it has TLS; its certificate in PEM. */
  readonly tls: TLSSocket | undefined;
  readonly cert: string;
  readonly plus: boolean;
  /** Whether it binds logins at all, whatever its offer says by the time it is read. */
  readonly binds: boolean;
}

export class ScramServer {
  readonly #options: ScramServerOptions;
  readonly #gs2: string;
  readonly #bareFirst: string;
  readonly #nonce: string;
  readonly #salt: Buffer = randomBytes(16);

  constructor(first: string, options: ScramServerOptions) {
    this.#options = options;
    const [flag = '', authzid = '', name = '', nonce = ''] = first.split(',');
    this.#gs2 = `${flag},${authzid},`;
    this.#bareFirst = `${name},${nonce}`;
    this.#nonce = `${nonce.slice(2)}${randomBytes(6).toString('hex')}`;
  }

  /** What the client says of channel binding: `n`, `y` or `p=…`. */
  get flag(): string {
    return this.#gs2.split(',')[0] ?? '';
  }

  challenge(): string {
    return `r=${this.#nonce},s=${this.#salt.toString('base64')},i=${this.#options.iterations}`;
  }

  /** The server's own proof; undefined when the client has not proven that it knows the password, on this connection. */
  verify(final: string): string | undefined {
    const { password, plus, binds } = this.#options;
    // §6: who could bind and was not offered it says so, and a server that does offer it sees that somebody took that away.
    if (this.flag === 'y' && binds) return undefined;
    if (this.flag.startsWith('p=') !== plus) return undefined;
    const [, bound = '', proof = ''] = /^c=([^,]*),.*,p=(.*)$/.exec(final) ?? [];
    const expected = Buffer.concat([Buffer.from(this.#gs2), plus ? this.#binding() : Buffer.alloc(0)]);
    if (Buffer.from(bound, 'base64').compare(expected) !== 0) return undefined;
    const salted = pbkdf2Sync(password, this.#salt, 4096, 32, 'sha256');
    const hmac = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest();
    const message = `${this.#bareFirst},r=${this.#nonce},s=${this.#salt.toString('base64')},i=4096,${final.slice(0, final.indexOf(',p='))}`;
    const clientKey = hmac(salted, 'Client Key');
    const signature = hmac(createHash('sha256').update(clientKey).digest(), message);
    if (Buffer.from(clientKey.map((byte, i) => byte ^ (signature[i] ?? 0))).toString('base64') !== proof) return undefined;
    return `v=${hmac(hmac(salted, 'Server Key'), message).toString('base64')}`;
  }

  /** This end's view of the connection. */
  #binding(): Buffer {
    const { tls, cert } = this.#options;
    if (!tls) throw new Error('bound to nothing');
    switch (this.flag) {
      case 'p=tls-exporter': return tls.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
      case 'p=tls-unique': return tls.getPeerFinished() ?? Buffer.alloc(0);
      default: return createHash('sha256').update(new X509Certificate(cert).raw).digest();
    }
  }
}
