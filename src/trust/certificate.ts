import { createPrivateKey, createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import { late } from '../late.ts';

/** X.509 needs dates; peers compare keys and ignore them. RFC 5280 §4.1.2.5: no well-defined expiry. */
const NOT_BEFORE = new Date('2020-01-01T00:00:00Z');
const NOT_AFTER = new Date('9999-12-31T23:59:59Z');
const OID_COMMON_NAME = '2.5.4.3';

const pem = (label: string, der: ArrayBuffer): string =>
  `-----BEGIN ${label}-----\n${(Buffer.from(der).toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END ${label}-----\n`;

/** A new EC P-256 private key, PKCS #8 in PEM. */
export async function newKey(): Promise<string> {
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  return pem('PRIVATE KEY', await crypto.subtle.exportKey('pkcs8', pair.privateKey));
}

/** Signs the key's own certificate. The libraries are loaded here only: no later start pays for them. */
export async function selfSigned(key: string): Promise<string> {
  const [{ AttributeTypeAndValue, Certificate, CryptoEngine, Time, TimeType }, { Integer, Utf8String }] = await late(
    'What makes certificates', () => Promise.all([import('pkijs'), import('asn1js')]),
  );
  const engine = new CryptoEngine({ name: 'node', crypto: crypto });
  const curve = { name: 'ECDSA', namedCurve: 'P-256' };
  const der = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' });
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const privateKey = await crypto.subtle.importKey('pkcs8', der, curve, false, ['sign']);
  const publicKey = await crypto.subtle.importKey('spki', spki, curve, true, ['verify']);

  const certificate = new Certificate();
  certificate.version = 2; // RFC 5280 §4.1.2.1: v3
  const serial = randomBytes(16);
  serial[0] = (serial[0] ?? 0) & 0x7f | 0x40; // RFC 5280 §4.1.2.2: positive
  certificate.serialNumber = new Integer({ valueHex: new Uint8Array(serial).buffer });
  for (const name of [certificate.issuer, certificate.subject]) {
    name.typesAndValues.push(new AttributeTypeAndValue({ type: OID_COMMON_NAME, value: new Utf8String({ value: 'lanpost' }) }));
  }
  certificate.notBefore = new Time({ type: TimeType.UTCTime, value: NOT_BEFORE });
  certificate.notAfter = new Time({ type: TimeType.GeneralizedTime, value: NOT_AFTER });
  await certificate.subjectPublicKeyInfo.importKey(publicKey, engine);
  await certificate.sign(privateKey, 'SHA-256', engine);
  return pem('CERTIFICATE', certificate.toSchema(true).toBER(false));
}

/** Whether this certificate is about this key. */
export function belongs(cert: string, key: string): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    // Unreadable is the same as not ours: it is made again from the key.
    return false;
  }
}
