import { describe, expect, it } from 'vitest';
import type { RehearsalEvent } from '../../src/api.ts';
import { printRehearsal } from '../../src/cli/commands/rehearse.ts';
import { screen } from './shown.ts';

const step: RehearsalEvent = { phase: 'cut', home: 'box@home.example', sent: 20, drained: 12, bytes: 2_000, left: 25_000 };
const report = { home: 'box@home.example', outage: 30_000, rate: 10, passed: false, sent: 320, stored: 320, drained: 320, lost: 3, doubled: 0, peakBytes: 40_000, reconnected: 4_000, emptied: 6_000, why: ['3 are not at home'] };

describe('a rehearsal', () => {
  it('is one line on a terminal while it lasts, and the report after it', async () => {
    const { out, text } = screen({ terminal: true });
    await printRehearsal(out, step);
    await printRehearsal(out, { ...step, phase: 'over', report });
    expect(text()).toBe('box@home.example: the road is cut for 25 s more: 20 published, 12 arrived\r\u{1b}[KNOT PASSED  box@home.example, cut off for 30 s, 10 records/s\n'
      + 'sent     320\nstored   320\ndrained  320\nlost     3\ndoubled  0\npeak     39 KiB on disk\nback     4 s after the road was there again; nothing waited after 6 s\n         - 3 are not at home\n');
  });

  it('says what the home\'s own rules and its group made of it, where they did', async () => {
    const { out, text } = screen({});
    await printRehearsal(out, { ...step, phase: 'over', report: { ...report, passed: true, lost: 0, drained: 300, expired: 20, repeated: 7, budgetWait: 90_000, why: [] } });
    expect(text()).toContain('\ndoubled  0\nexpired  20 had waited for longer than the rule\'s `expire`\nrepeated 7 are at more than one home of the group, under the same record ids\npeak     39 KiB on disk\nbudget   nothing could go for 90 s\n');
  });

  it('is an object for each step with --json', async () => {
    const { out, text } = screen({ json: true });
    await printRehearsal(out, step);
    expect(JSON.parse(text())).toEqual({ event: 'rehearsal', ...step });
  });
});
