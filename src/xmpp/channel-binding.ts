// RFC 5929, RFC 9266: what only the two ends of one TLS connection know, for SCRAM's `-PLUS`. Which kinds a server
// knows is told by XEP-0440 version 1.0.0.
import { createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { fromBER, ObjectIdentifier, Sequence } from 'asn1js';
import { attr, type Element } from './element.ts';
import type { ChannelBinding } from './sasl.ts';

export const NS_CHANNEL_BINDING = 'urn:xmpp:sasl-cb:0';

/** What the server says it knows; undefined when it does not say. */
export function bindingTypes(features: Element): readonly string[] | undefined {
  const told = features.getChild('sasl-channel-binding', NS_CHANNEL_BINDING);
  return told?.getChildren('channel-binding').slice(0, 16).map((kind) => attr(kind, 'type') ?? '');
}

/** What a server may mean that does not say it. */
export type UnsaidBinding = 'tls-unique' | 'tls-exporter';

/**
 * The best kind that both know. A server that offers `-PLUS` and does not say which kinds is older than XEP-0440:
 * COMPAT(ejabberd 23.01): it means `tls-unique`, over TLS 1.3 too, where nothing defines it; there it is the first Finished
 * message all the same; others mean the kind of RFC 9266. `unsaid`: which is to be tried.
 */
export function channelBinding(tls: TLSSocket, types: readonly string[] | undefined, unsaid: UnsaidBinding = 'tls-unique'): ChannelBinding | undefined {
  const modern = tls.getProtocol() === 'TLSv1.3';
  const known = types ?? (modern ? [unsaid] : ['tls-unique']);
  if (modern && known.includes('tls-exporter')) {
    return { type: 'tls-exporter', data: tls.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)) };
  }
  const unique = known.includes('tls-unique') && (!modern || types === undefined) ? tls.getFinished() : undefined;
  // RFC 5929 §3.1; of a connection that was not resumed the client's Finished is the first.
  if (unique) return { type: 'tls-unique', data: unique };
  const certificate = known.includes('tls-server-end-point') ? tls.getPeerX509Certificate()?.raw : undefined;
  const hash = certificate && signatureHash(certificate);
  return certificate && hash !== undefined ? { type: 'tls-server-end-point', data: createHash(hash).update(certificate).digest() } : undefined;
}

/** RFC 5929 §4.1: the hash of the certificate's signature; SHA-256 in place of MD5 and SHA-1. */
const HASH_OF: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.4': 'sha256', '1.2.840.113549.1.1.5': 'sha256', '1.2.840.113549.1.1.11': 'sha256', '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512', '1.2.840.113549.1.1.14': 'sha224', '1.2.840.10045.4.1': 'sha256', '1.2.840.10045.4.3.1': 'sha224',
  '1.2.840.10045.4.3.2': 'sha256', '1.2.840.10045.4.3.3': 'sha384', '1.2.840.10045.4.3.4': 'sha512',
};

/** Undefined for signatures that use no hash of their own, or name it elsewhere: RFC 5929 leaves these undefined. */
export function signatureHash(certificate: Uint8Array): string | undefined {
  const { result } = fromBER(certificate);
  const algorithm = result instanceof Sequence ? result.valueBlock.value[1] : undefined;
  const oid = algorithm instanceof Sequence ? algorithm.valueBlock.value[0] : undefined;
  return oid instanceof ObjectIdentifier ? HASH_OF[oid.valueBlock.toString()] : undefined;
}
