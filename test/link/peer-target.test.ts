import { expect, test } from 'vitest';
import { parseTarget } from '../../src/link/peer-target.ts';

test.each([
  ['pi.example.org', 'pi.example.org', 5298, 'pi.example.org:5298'],
  ['pi:80', 'pi', 80, 'pi:80'],
  ['192.0.2.7', '192.0.2.7', 5298, '192.0.2.7:5298'],
  ['[2001:db8::7]:5299', '2001:db8::7', 5299, '[2001:db8::7]:5299'],
  ['[2001:db8::7]', '2001:db8::7', 5298, '[2001:db8::7]:5298'],
  ['2001:db8::7', '2001:db8::7', 5298, '[2001:db8::7]:5298'],
])('%s', (text, host, port, label) => {
  expect(parseTarget(text)).toEqual({ host, port, label });
});

test.each(['', ':5298', 'a:', 'a:b', 'a:0', 'a:65536', 'a b', '[pi]:1', '[2001:db8::7', 'x'.repeat(254), 'a\u0000', 'http://a', 'a/b'])('%j is none', (text) => {
  expect(() => parseTarget(text)).toThrow(expect.objectContaining({ code: 'invalid-value' }));
});
