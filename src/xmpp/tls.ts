// TLS settings, for homes and for the link.
import { constants, createHash, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { checkServerIdentity, type ConnectionOptions, type TLSSocket, type TLSSocketOptions } from 'node:tls';

export interface VerifiedTls {
  /** Whom the certificate must be for. */
  readonly domain: string;
  /** PEM of who may have signed it, instead of the system's authorities. */
  readonly ca?: string | undefined;
  /** SHA-256 of the SPKI of its key, base64: one of these, as well. */
  readonly pin?: readonly string[] | undefined;
  readonly alpn?: string | undefined;
}

/** The certificate is right, its key is none that the owner named. The code is of the family that Node's own have. */
export class PinMismatch extends Error {
  override readonly name = 'PinMismatch';
  readonly code = 'ERR_TLS_CERT_PIN';

  constructor(shown: string) {
    super(`its key is none that was pinned: it is ${shown}`);
  }
}

export function spkiPin(certificate: Uint8Array): string {
  return createHash('sha256').update(new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' })).digest('base64');
}

/** A home: its certificate must be for the XMPP domain, whatever host was connected to (RFC 6120 §13.7.1.2.1). */
export function verifiedTls(options: VerifiedTls): ConnectionOptions {
  const { domain, ca, pin, alpn } = options;
  return {
    // Asked before the handshake is told to be done, and after the chain was found to be right.
    checkServerIdentity: (host, certificate) => {
      const wrong = checkServerIdentity(host, certificate);
      if (wrong || !pin || pin.length === 0) return wrong;
      const shown = spkiPin(certificate.raw);
      return pin.includes(shown) ? undefined : new PinMismatch(shown);
    },
    ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
    ...(isIP(domain) === 0 ? { servername: domain } : {}),
    host: domain,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca }),
  };
}

/**
 * Another box: keys are compared by their SPKI after the handshake, so the certificate's dates, names and
 * issuer are not looked at. Only for the one socket these options are given to.
 */
export function linkTls(identity: { readonly key: string; readonly cert: string }): ConnectionOptions & TLSSocketOptions {
  return {
    key: identity.key,
    cert: identity.cert,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    requestCert: true,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    // No session tickets; and as each socket has its own context, none could be taken up elsewhere.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** The peer's public key, SubjectPublicKeyInfo in DER; undefined when it showed no certificate. */
export function peerSpki(socket: TLSSocket): Buffer | undefined {
  const certificate = socket.getPeerX509Certificate();
  return certificate?.publicKey.export({ type: 'spki', format: 'der' });
}
