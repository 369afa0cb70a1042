import { describe, expect, it } from 'vitest';
import { type DnsRecord, makeMessage } from '../../src/mdns/message.ts';
import { OwnRecords, type Wanted } from '../../src/mdns/own-records.ts';
import { peer, rr, SERVICE } from '../conformance/rfc-6762/one-link.ts';

const said = (records: readonly DnsRecord[]) => makeMessage({ response: true, answers: records });
const wanted = (name: string, unique: readonly DnsRecord[], shared: readonly DnsRecord[] = []): Wanted => ({ name, unique, shared, goodbye: true });

describe('what others say', () => {
  it('concerns us by a name that is claimed, whenever that was, however often it came before', () => {
    const own = new OwnRecords();
    const message = said(peer('b', 'h2'));
    for (let times = 0; times < 3; times++) expect(own.concerns(message, times > 0)).toBe(false);
    const claim = own.claim(wanted('h2.local', [rr.a('h2.local', '10.0.0.9')]), 0);
    expect(own.concerns(message, true)).toBe(true);
    own.release(claim);
    expect(own.concerns(message, true)).toBe(false);
  });

  it('concerns us when it is what we say, from when we say it', () => {
    const own = new OwnRecords();
    const pointer = rr.ptr(SERVICE, `b@h2.${SERVICE}`);
    const message = said([pointer]);
    const claim = own.claim(wanted('c.local', [], [pointer]), 0);
    for (let times = 0; times < 3; times++) expect(own.concerns(message, true)).toBe(false);
    own.hold(claim);
    expect(own.concerns(message, true)).toBe(true);
    own.doubt(claim, 0);
    expect(own.concerns(message, true)).toBe(false);
    own.hold(claim);
    expect(own.concerns(message, true)).toBe(true);
  });
});
