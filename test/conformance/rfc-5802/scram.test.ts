import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { signatureHash } from '../../../src/xmpp/channel-binding.ts';
import { chooseMechanism, SaslError, ScramClient } from '../../../src/xmpp/sasl.ts';

const SHA_1 = {
  nonce: 'fyko+d2lbbFgONRv9qkxdawL', first: 'n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL',
  challenge: 'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096',
  final: 'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=', success: 'v=rmF9pqV8S7suAoZWja4dJRkFsKQ=',
};
const SHA_256 = {
  nonce: 'rOprNGfwEbeRWgbNEkqO', first: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
  challenge: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  final: 'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  success: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
};

describe.each([['RFC 5802 §5', 'SCRAM-SHA-1', SHA_1], ['RFC 7677 §3', 'SCRAM-SHA-256', SHA_256]] as const)('%s: the example for %s', (_spec, mechanism, vector) => {
  const client = (): ScramClient => new ScramClient(mechanism, { username: 'user', password: 'pencil', nonce: vector.nonce });

  it('is spoken word for word', async () => {
    const scram = client();
    expect(scram.first().toString()).toBe(vector.first);
    expect((await scram.respond(Buffer.from(vector.challenge))).toString()).toBe(vector.final);
    expect(() => scram.verify(Buffer.from(vector.success))).not.toThrow();
  });

  it.each(['', 'v=', 'v=AAAA', 'e=other-error', 'v=smF9pqV8S7suAoZWja4dJRkFsKQ='])('a server that answers %j has proven nothing', async (success) => {
    const scram = client();
    await scram.respond(Buffer.from(vector.challenge));
    expect(() => scram.verify(Buffer.from(success))).toThrow(SaslError);
  });

  it('a success before the challenge proves nothing either', () => {
    expect(() => client().verify(Buffer.from(vector.success))).toThrow(SaslError);
  });

  it.each([
    ['§5.1 the nonce must begin with ours', 'r=other,s=QSXCR+Q6sek8bf92,i=4096'],
    ['§5.1 the server must add to the nonce', `r=${vector.nonce},s=QSXCR+Q6sek8bf92,i=4096`],
    ['too few iterations', `r=${vector.nonce}x,s=QSXCR+Q6sek8bf92,i=1`],
    ['iterations that would take minutes', `r=${vector.nonce}x,s=QSXCR+Q6sek8bf92,i=999999999`],
    ['§5.1 a mandatory extension is not understood', `m=x,r=${vector.nonce}x,s=QSXCR+Q6sek8bf92,i=4096`],
    ['no salt', `r=${vector.nonce}x,i=4096`],
  ])('%s', async (_rule, challenge) => {
    await expect(client().respond(Buffer.from(challenge))).rejects.toThrow(SaslError);
  });
});

it('§5.1 "=" and "," in the name are escaped', () => {
  const scram = new ScramClient('SCRAM-SHA-1', { username: 'a=b,c', password: 'x', nonce: 'n' });
  expect(scram.first().toString()).toBe('n,,n=a=3Db=2Cc,r=n');
});

it('the strongest offered is taken, PLAIN only where it is allowed', () => {
  expect(chooseMechanism(['PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-256'])).toBe('SCRAM-SHA-256');
  expect(chooseMechanism(['PLAIN', 'SCRAM-SHA-1', 'SCRAM-SHA-1-PLUS'])).toBe('SCRAM-SHA-1');
  expect(chooseMechanism(['PLAIN'])).toBeUndefined();
  expect(chooseMechanism(['PLAIN'], { plain: true })).toBe('PLAIN');
  expect(chooseMechanism(['DIGEST-MD5'], { plain: true })).toBeUndefined();
});

describe('§6 channel binding', () => {
  const credentials = { username: 'user', password: 'pencil', nonce: 'n' };
  const final = async (scram: ScramClient): Promise<string> => (await scram.respond(Buffer.from('r=nx,s=QSXCR+Q6sek8bf92,i=4096'))).toString().split(',')[0] ?? '';

  it('a bound login comes first, whatever its hash, where there is something to bind to', () => {
    expect(chooseMechanism(['SCRAM-SHA-512', 'SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'], { binding: true })).toBe('SCRAM-SHA-1-PLUS');
    expect(chooseMechanism(['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1-PLUS'], { binding: true })).toBe('SCRAM-SHA-256-PLUS');
    expect(chooseMechanism(['SCRAM-SHA-512', 'SCRAM-SHA-1-PLUS'])).toBe('SCRAM-SHA-512');
  });
  it('names its kind first, and repeats it with the data in what is signed', async () => {
    const scram = new ScramClient('SCRAM-SHA-1-PLUS', credentials, { binding: { type: 'tls-exporter', data: Buffer.from('bound') } });
    expect(scram.first().toString()).toBe('p=tls-exporter,,n=user,r=n');
    expect(await final(scram)).toBe(`c=${Buffer.from('p=tls-exporter,,bound').toString('base64')}`);
  });
  it('a server that offered none is told that it could have been, so that one whose offer was taken away refuses', async () => {
    const scram = new ScramClient('SCRAM-SHA-1', credentials, { unoffered: true });
    expect(scram.first().toString()).toBe('y,,n=user,r=n');
    expect(await final(scram)).toBe(`c=${Buffer.from('y,,').toString('base64')}`);
  });
  it('-PLUS without anything to bind to is refused here', () => {
    expect(() => new ScramClient('SCRAM-SHA-256-PLUS', credentials)).toThrow(SaslError);
  });
});

describe('RFC 5929 §4.1 tls-server-end-point', () => {
  it.each([['-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -sha256', 'sha256'], ['-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -sha512', 'sha512'], ['-newkey rsa:2048 -sha1', 'sha256'], ['-newkey rsa:2048 -sha384', 'sha384'], ['-newkey ed25519', undefined]])('%s: %s', (how, hash) => {
    const der = execFileSync('openssl', ['req', '-x509', ...how.split(' '), '-nodes', '-subj', '/CN=x', '-keyout', '/dev/null', '-outform', 'DER'], { stdio: ['ignore', 'pipe', 'ignore'] });
    expect(signatureHash(der)).toBe(hash);
  });
});
