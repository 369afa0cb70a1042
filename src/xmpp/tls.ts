// TLS settings, for homes and for the link.
import { constants } from 'node:crypto';
import { isIP } from 'node:net';
import type { ConnectionOptions, TLSSocket, TLSSocketOptions } from 'node:tls';

/** A home: its certificate must be for the XMPP domain, whatever host was connected to (RFC 6120 §13.7.1.2.1). */
export function verifiedTls(options: { readonly domain: string; readonly ca?: string }): ConnectionOptions {
  const { domain, ca } = options;
  return {
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
