import { expect, test } from 'vitest';
import { splitPort } from '../../src/link/host-port.ts';

test.each([
  ['pi.example.org', { host: 'pi.example.org', port: 7, bracketed: false }], ['10.0.0.1:53', { host: '10.0.0.1', port: 53, bracketed: false }],
  ['[2001:db8::1]:53', { host: '2001:db8::1', port: 53, bracketed: true }], ['[2001:db8::1]', { host: '2001:db8::1', port: 7, bracketed: true }],
  ['2001:db8::1', { host: '2001:db8::1', port: 7, bracketed: true }],
])('%s', (text, split) => {
  expect(splitPort(text, 7)).toEqual(split);
});

test.each(['', ':53', 'a:b', 'a:', 'a:0', 'a:65536', '[a', 'a]:1', '1:2:3'])('%j is none', (text) => {
  expect(splitPort(text, 7)).toBeUndefined();
});
