import { describe, expect, it } from 'vitest';
import { TYPE } from '../../src/mdns/message.ts';
import { OneLink, OTHER, rr, SERVICE } from '../conformance/rfc-6762/one-link.ts';

const B = `b@h2.${SERVICE}`;

describe('asking for one record', () => {
  it('waits 20 to 120 ms, then asks again after 1, 2, 4 s, until it is answered; not after that', () => {
    const one = new OneLink();
    one.do((link, now) => link.ask(B, TYPE.NULL, now, false));
    one.advance(10_000);
    expect(one.asked.map(({ name, type, at }) => [name, type, at])).toEqual([70, 1070, 3070, 7070].map((at) => [B, TYPE.NULL, at]));
    const record = rr.null(B, Buffer.from('image'));
    one.answer([record]);
    expect(one.of('answer')).toMatchObject([{ record }]);
    one.forgetSent();
    one.answer([record]);
    one.advance(60_000);
    expect([one.sent, one.outputs]).toEqual([[], []]);
  });

  it('asks at once when somebody waits for it', () => {
    const one = new OneLink();
    one.do((link, now) => link.ask(B, TYPE.SRV, now, true));
    one.advance(0);
    expect(one.asked).toMatchObject([{ name: B, type: TYPE.SRV, at: 0 }]);
  });

  it('is cancelled with a question that was due', () => {
    const one = new OneLink();
    one.do((link, now) => {
      link.ask(B, TYPE.NULL, now, false);
      link.stopAsking(B, TYPE.NULL);
    });
    one.advance(10_000);
    expect(one.sent).toEqual([]);
  });

  it('RFC 6762 §7.3 is spared a question that another asks', () => {
    const one = new OneLink();
    one.do((link, now) => link.ask(B, TYPE.NULL, now, false));
    one.advance(70);
    one.forgetSent();
    one.advance(900);
    one.ask(B, TYPE.NULL);
    one.answer([rr.null(B, Buffer.from('image'))]);
    one.advance(10_000);
    expect(one.sent).toEqual([]);
    expect(one.of('answer')).toHaveLength(1);
  });

  it('RFC 6762 §6.1 ends when the name says that it has no such record', () => {
    const one = new OneLink();
    one.do((link, now) => link.ask(B, TYPE.NULL, now, true));
    one.answer([{ ...rr.srv(B, 'h2.local'), type: TYPE.NSEC, data: { kind: 'absent', next: B, types: [TYPE.SRV, TYPE.TXT] } }]);
    expect(one.of('no answer')).toMatchObject([{ name: B, rrtype: TYPE.NULL }]);
    one.do((link, now) => link.ask(B, TYPE.TXT, now, true));
    one.answer([{ ...rr.srv(B, 'h2.local'), type: TYPE.NSEC, data: { kind: 'absent', next: B, types: [TYPE.SRV, TYPE.TXT] } }]);
    expect(one.of('no answer')).toHaveLength(1);
  });

  it('takes no goodbye, and no answer from another port, for an answer', () => {
    const one = new OneLink();
    one.do((link, now) => link.ask(B, TYPE.NULL, now, true));
    one.answer([rr.null(B, Buffer.from('image'), { ttl: 0 })]);
    one.answer([rr.null(B, Buffer.from('image'))], { ...OTHER, port: 40_000 });
    expect(one.of('answer')).toEqual([]);
  });
});
