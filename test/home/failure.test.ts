import { describe, expect, it } from 'vitest';
import { LanpostError } from '../../src/errors.ts';
import { failureOf } from '../../src/home/failure.ts';
import { lossOf, StreamEnded, Unusable } from '../../src/home/loss.ts';
import { xml } from '../../src/xmpp/element.ts';
import { SaslError } from '../../src/xmpp/sasl.ts';
import { StanzaError, type Condition, type ErrorType } from '../../src/xmpp/stanza-error.ts';

describe('an error answer to an item', () => {
  it.each<[Condition, ErrorType, string | undefined, string]>([
    ['bad-request', 'modify', undefined, 'poison'], ['not-acceptable', 'modify', 'payload-too-big', 'poison'], ['bad-request', 'modify', 'invalid-payload', 'poison'],
    ['item-not-found', 'cancel', undefined, 'create'], ['forbidden', 'auth', undefined, 'hold'], ['conflict', 'cancel', 'precondition-not-met', 'hold'],
    ['feature-not-implemented', 'cancel', 'unsupported', 'hold'], ['service-unavailable', 'cancel', undefined, 'service'],
    ['remote-server-timeout', 'wait', undefined, 'service'], ['resource-constraint', 'wait', undefined, 'retry'], ['internal-server-error', 'wait', undefined, 'retry'],
  ])('%s %s %s → %s', (condition, type, application, failure) => {
    expect(failureOf(new StanzaError(condition, { type, ...(application === undefined ? {} : { application: xml(application) }) }))).toBe(failure);
  });
  it('no answer in time is the service\'s fault, a lost session nobody\'s', () => {
    expect([failureOf(new LanpostError('timeout')), failureOf(new LanpostError('disconnected'))]).toEqual(['service', 'unknown']);
  });
});

describe('the end of a session', () => {
  const code = (text: string): Error => Object.assign(new Error(text), { code: text });
  it.each<[Error, string]>([
    [new SaslError('not-authorized'), 'auth'], [new SaslError('temporary-auth-failure'), 'link'],
    [new StreamEnded({ condition: 'policy-violation' }, true), 'banned'], [new StreamEnded({ condition: 'policy-violation' }, false), 'link'],
    [new StreamEnded({ condition: 'conflict' }, false), 'conflict'], [new StreamEnded({ condition: 'host-unknown' }, true), 'config'],
    [new StreamEnded({ condition: 'system-shutdown' }, false), 'link'], [new Unusable('no TLS'), 'config'],
    [code('ECONNREFUSED'), 'link'], [code('CERT_HAS_EXPIRED'), 'config'], [code('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'config'], [code('ERR_TLS_CERT_ALTNAME_INVALID'), 'config'],
  ])('%s → %s', (error, kind) => {
    expect(lossOf(error).kind).toBe(kind);
  });
  it('is told in words, not by the system\'s own names', () => {
    expect(lossOf(code('ECONNRESET'))).toEqual({ kind: 'link', reason: 'the other side broke off' });
    expect(lossOf(Object.assign(new Error('odd'), { code: 'EODD' })).reason).toBe('odd (EODD)');
  });
  it('a certificate that is not valid yet is a matter of the clock', () => {
    expect(lossOf(code('CERT_NOT_YET_VALID')).reason).toContain('clock');
  });
});
