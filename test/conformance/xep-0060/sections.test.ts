// oxlint-disable vitest/warn-todo -- what is not done stays visible
// Which sections of XEP-0060 1.30 are tested in this folder, and which are not, with the reason.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** Those of §4 to §14 that say MUST, or have an error. */
const BINDING = `4.1 4.2 4.3 4.5 4.6 4.6.1 4.6.2 5.1 5.2 5.3 5.5 5.6 5.7
  6.1.1 6.1.2 6.1.3.1 6.1.3.2 6.1.3.3 6.1.3.4 6.1.3.5 6.1.3.6 6.1.3.7 6.1.3.8 6.1.3.9 6.1.3.10 6.1.3.11 6.1.3.12 6.1.4 6.1.5 6.1.6 6.1.7
  6.2.2 6.2.3.1 6.2.3.2 6.2.3.3 6.2.3.4 6.2.3.5 6.3.1 6.3.3 6.3.4.1 6.3.4.2 6.3.4.3 6.3.4.4 6.3.4.5 6.3.4.6 6.3.4.7 6.3.6.1 6.3.6.2 6.3.7
  6.4.1 6.4.2 6.4.3.1 6.4.3.2 6.5.1 6.5.6 6.5.9.1 6.5.9.2 6.5.9.3 6.5.9.4 6.5.9.5 6.5.9.6 6.5.9.7 6.5.9.8 6.5.9.9 6.5.9.10 6.5.9.11
  7.1.1 7.1.2 7.1.2.3 7.1.2.4 7.1.2.5 7.1.3 7.1.3.1 7.1.3.2 7.1.3.3 7.1.3.4 7.1.3.5 7.1.3.6 7.1.3.7 7.1.4 7.1.5
  7.2.1 7.2.2 7.2.2.1 7.2.2.2 7.2.3.1 7.2.3.2 7.2.3.3 7.2.3.4 7.2.3.5 7.2.3.6
  8.1.1 8.1.2 8.1.3 8.2.2 8.2.3.1 8.2.3.2 8.2.3.3 8.2.3.4 8.2.3.5 8.2.4 8.2.5.1 8.2.5.2 8.2.5.3 8.3.1 8.3.2 8.3.3 8.3.4.1 8.3.4.2
  8.4 8.4.1 8.4.2 8.4.3.1 8.4.3.2 8.5.2 8.5.3.1 8.5.3.2 8.5.3.3 8.5.3.4 8.6 8.7 8.7.2 8.7.3.1 8.7.3.2 8.7.3.3 8.7.3.4
  8.8.1.1 8.8.1.2 8.8.1.3.1 8.8.1.3.2 8.8.1.3.3 8.8.2.1 8.8.2.3.1 8.8.2.3.2 8.8.2.3.3 8.8.2.4 8.8.3
  8.9.1.1 8.9.1.2 8.9.1.3.1 8.9.1.3.2 8.9.1.3.3 8.9.2.1 8.9.2.3.1 8.9.2.3.2 8.9.2.3.3 8.9.2.3.4 8.9.2.4 8.9.3
  9 9.1.1 9.1.2 9.1.3 9.2 10 12.3 12.4 12.5 12.6 12.8 12.9 12.11 12.12 12.14 12.17 12.18 12.19 12.20 14.2 14.3`.split(/\s+/);

describe('XEP-0060 1.30, section by section', () => {
  it.todo('§4.6, §4.6.1 a node that is addressed as a JID: each is addressed by the box and its own name (§4.6.2)');
  it.todo('§6.1.3.5, §6.5.9.9 payment required: nothing is paid for here');
  it.todo('§6.1.3.10 a node that lets nobody subscribe: every node may be subscribed to, and pubsub#subscribe false is refused (§8.1.3)');
  it.todo('§6.1.5 configuration required: every subscription has options from the beginning');
  it.todo('§6.3.4.6, §6.4.3.1, §6.4.3.2 subscription options, or their defaults, not supported: they are, of every node');
  it.todo('§6.5.9.5 item retrieval not supported: it is, also of collections (XEP-0248)');
  it.todo('§7.2.3.6 item deletion not supported: it is');
  it.todo('§8.2.3.1, §8.3.4.1 node configuration not supported: it is');
  it.todo('§8.5.3.1 node purging not supported: it is');
  it.todo('§8.7.3.1, §8.7.3.2 ad-hoc commands, or get-pending, not supported: they are');
  it.todo('§8.8.1.3.1, §8.8.2.3.1 subscription management not supported: it is');
  it.todo('§8.9.1.3.1, §8.9.2.3.1, §8.9.2.3.2 modification of affiliations, or one of them, not supported: all are');
  it.todo('§9.1.1 the account owner\'s own resources: a box has none but itself');
  it.todo('§12.18 chaining: no node subscribes to another');
  it.todo('§12.20 filters of what is in items: there are none');

  const lines = (name: string): string[] => readFileSync(`${import.meta.dirname}/${name}`, 'utf8').split('\n');
  const numbers = (text: string): string[] => [...text.matchAll(/§(\d+(?:\.\d+)*)/g)].map(([, number = '']) => number);
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.ts') && name !== 'sections.test.ts');
  /** By the titles of tests, and of their rows; not by comments beside them, nor by what a file says is left. */
  const tested = new Set(files.flatMap(lines).filter((line) => /^\s*(?:(?:it|describe)\b(?!\.todo)|\[?'§|\](?: as const)?\)\(')/.test(line)).flatMap((line) => numbers(line.replace(/ \/\/ .*$/, ''))));
  const untested = new Set(lines('sections.test.ts').flatMap((line) => numbers(/^ {2}it\.todo\('((?:§[\d.]+,? )+)/.exec(line)?.[1] ?? '')));

  it('each that binds has a test, or a reason why there is none', () => {
    expect(BINDING.filter((number) => !tested.has(number) && !untested.has(number))).toEqual([]);
  });

  it('none that has a test is said to have none', () => {
    expect([...untested].filter((number) => tested.has(number))).toEqual([]);
  });
});
