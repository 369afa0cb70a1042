import { describe, expect, it } from 'vitest';
import { decodeMessage } from '../../src/mdns/decode.ts';
import { TYPE } from '../../src/mdns/message.ts';
import { question } from '../../src/mdns/question.ts';

const asked = { name: 'a thing._presence._tcp.local', type: TYPE.SRV };

describe('a question as a packet', () => {
  it('is one question', () => {
    expect(decodeMessage(question(asked, 7))).toMatchObject({ id: 7, response: false, questions: [{ ...asked, unicast: false }], additionals: [] });
  });

  it.each([100, 1232, 1472, 8852])('is made %i bytes long by what means nothing', (bytes) => {
    const packet = question(asked, 0, bytes);
    expect(packet).toHaveLength(bytes);
    expect(decodeMessage(packet)).toMatchObject({ questions: [asked], additionals: [{ name: '', type: TYPE.OPT }] });
  });

  it('is never shorter than it must be', () => {
    expect(question(asked, 0, 50)).toEqual(question(asked));
  });
});
