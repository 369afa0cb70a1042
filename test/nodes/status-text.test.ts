import { describe, expect, it } from 'vitest';
import { homesInWords } from '../../nodes/shared/home-events.ts';
import { MAX_TEXT, shortened } from '../../nodes/shared/status-text.ts';
import type { HomeStatus } from '../../src/index.ts';
import { saidIn } from './said.ts';

/** The longest that the nodes say, what is left of it, and that in German. */
const LONGEST: readonly (readonly [long: string, short: string, german: string])[] = [
  [
    'received 123456789, 1000 unacked, 12345678 lost, 12345678 queued, oldest 400 d',
    '1000 unacked, 12345678 lost, 12345678 queued, oldest 400 d',
    '1000 unbestätigt, 12345678 verloren, 12345678 stehen an, ältestes 400 d',
  ],
  [
    '1000 not answered, oldest 47 h: received 123456789, 1000 unacked, 12345678 lost, 12345678 queued, oldest 400 d',
    '1000 not answered, 12345678 queued, oldest 400 d',
    '1000 nicht beantwortet, 12345678 stehen an, ältestes 400 d',
  ],
  [
    '1000 not answered, oldest 47 h: 1000 unacked, waiting, 12345 queued, oldest 400 d',
    '1000 not answered, oldest 47 h: 12345 queued, oldest 400 d',
    '1000 nicht beantwortet, ältestes 47 h: 12345 stehen an, ältestes 400 d',
  ],
  [
    '1000 not answered, oldest 47 h: paused, 12345678 queued, oldest 400 d, received 123456789',
    '1000 not answered, paused, 12345678 queued, oldest 400 d',
    '1000 nicht beantwortet, angehalten, 12345678 stehen an, ältestes 400 d',
  ],
  [
    '10000 waiting, 512 not answered, oldest 400 d: delivered 123456789, 10000 on the way, oldest 400 d',
    '10000 waiting, 512 not answered, oldest 400 d',
    '10000 warten, 512 nicht beantwortet, ältestes 400 d',
  ],
  [
    'peer not reached, received 123456789, 12345678 queued, oldest 400 d',
    'peer not reached, 12345678 queued, oldest 400 d',
    'Peer nicht erreicht, 12345678 stehen an, ältestes 400 d',
  ],
  [
    '8 of 8 online, 1 paused, 1 refused · 12345678 queued, oldest 400 d',
    '8 of 8 online, 1 refused · 12345678 queued, oldest 400 d',
    '8 von 8 online, 1 abgewiesen · 12345678 stehen an, ältestes 400 d',
  ],
];

describe('a status with more words than there is room for', () => {
  it.each(LONGEST)('%s', (long, short, german) => {
    expect(long.length).toBeGreaterThan(MAX_TEXT);
    expect(shortened(long)).toBe(short);
    expect(short.length).toBeLessThanOrEqual(MAX_TEXT);
    expect(saidIn('de').text(short)).toBe(german);
  });

  it('of what is wrong the beginning is said, behind how much waits and for how long', () => {
    expect(shortened('10000 waiting, 512 not answered, oldest 400 d: disk-full: there is no room left in /srv/lanpost')).toBe('10000 waiting, 512 not answered, oldest 400 d: disk-full: t…');
    expect(shortened('3 waiting, oldest 2 min: not-found: no box is running in /home/me/.node-red/lanpost')).toBe('3 waiting, oldest 2 min: not-found: no box is running in /h…');
    const home = { jid: 'box@home.example', state: 'refused', reason: 'the server does not accept the password of this account', queued: 1200, left: 1200, oldestAge: 3 * 86_400_000, group: undefined } as unknown as HomeStatus;
    expect(shortened(homesInWords([home], '').text)).toBe('refused · 1200 queued, oldest 3 d · the server does not acc…');
  });

  it('what is short enough is as it was, and so are words that are none of ours', () => {
    const same = ['', 'ready', 'received 12, 3 queued, oldest 3 min', 'x'.repeat(MAX_TEXT)];
    expect(same.map((text) => shortened(text))).toEqual(same);
    expect(shortened(`the server said: received 5, ${'y'.repeat(80)}`)).toBe(`the server said: received 5, ${'y'.repeat(30)}…`);
  });
});
