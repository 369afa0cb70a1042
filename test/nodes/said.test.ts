import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { callFailure } from '../../src/call-failure.ts';
import { ERROR_CODES } from '../../src/errors.ts';
import type { BoxStatus, HomeStatus, Peer } from '../../src/index.ts';
import { ROOT } from '../support/root.ts';
import { saidIn } from './said.ts';

/** All that a type allows: one that is new does not compile until it is here. */
const STATES = {
  home: { connecting: 1, online: 1, waiting: 1, refused: 1, offline: 1, paused: 1 } satisfies Record<HomeStatus['state'], 1>,
  link: { off: 1, starting: 1, up: 1, failed: 1 } satisfies Record<BoxStatus['link']['state'], 1>,
  log: { open: 1, refusing: 1, closed: 1 } satisfies Record<BoxStatus['log']['state'], 1>,
  peer: { available: 1, away: 1, dnd: 1 } satisfies Record<Peer['status'], 1>,
  trust: { seen: 1, paired: 1 } satisfies Record<Exclude<Peer['trust'], 'none'>, 1>,
};
const german = saidIn('de');
const english = saidIn('en-US');

describe('what the box says, in the language of whoever looks', () => {
  it('has a word for each state and each code, and English is what it was', () => {
    const states = Object.values(STATES).flatMap((one) => Object.keys(one));
    expect(states.filter((state) => german.phrase(state) === undefined)).toEqual([]);
    expect(Object.keys(ERROR_CODES).filter((code) => german.known('codes', code) === undefined)).toEqual([]);
    const catalogue = JSON.parse(readFileSync(join(ROOT, 'nodes/locales/en-US/lanpost-box.json'), 'utf8')) as { 'lanpost-box': Record<'said' | 'reasons' | 'codes', Record<string, string>> };
    for (const table of ['said', 'reasons', 'codes'] as const) expect(Object.entries(catalogue['lanpost-box'][table]).filter(([key, words]) => key !== words)).toEqual([]);
    expect(Object.keys(catalogue['lanpost-box'].codes).toSorted()).toEqual(Object.keys(ERROR_CODES).toSorted());
  });

  it('says why a call failed, in German too', () => {
    const reasons = ['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'EACCES', 'ENOTFOUND', 'EAI_AGAIN'].map((code) => callFailure(Object.assign(new Error(code), { code })));
    expect(reasons.filter((reason) => german.text(reason) === reason || !german.text(reason).split(/[:,] /).every((part) => !reason.includes(part)))).toEqual([]);
  });

  it.each([
    ['received 5, 3 unacked, 10 queued, oldest 2 min', '5 empfangen, 3 unbestätigt, 10 stehen an, ältestes 2 min'],
    ['peer not reached, received 5, 10 queued', 'Peer nicht erreicht, 5 empfangen, 10 stehen an'],
    ['64 unacked, waiting, 936 queued, oldest 3 s', '64 unbestätigt, wartet, 936 stehen an, ältestes 3 s'],
    ['2 of 3 online · 7 queued, oldest 4 h', '2 von 3 online · 7 stehen an, ältestes 4 h'],
    ['1 of 3 online, 1 paused, 1 refused · 7 queued, oldest 4 h · b@b.example: no', '1 von 3 online, 1 angehalten, 1 abgewiesen · 7 stehen an, ältestes 4 h · b@b.example: no'],
    ['online, stands by · 7 queued, oldest 4 s', 'online, steht bereit · 7 stehen an, ältestes 4 s'],
    ['3 waiting, oldest 5 s: opening the box', '3 warten, ältestes 5 s: Box wird geöffnet'],
    ['9 waiting, 512 not answered, oldest 2 min: published 3, 2 on the way', '9 warten, 512 nicht beantwortet, ältestes 2 min: 3 veröffentlicht, 2 unterwegs'],
    ['3 waiting: busy: Too much is waiting, closed', '3 warten: überlastet: Too much is waiting, closed'],
    ['refused · 2 queued, oldest 1 min · not-authorized', 'abgewiesen · 2 stehen an, ältestes 1 min · not-authorized'],
    ['in-use: Another reader holds this durable name', 'in Gebrauch: Another reader holds this durable name'],
    ['no box: open this node and choose one', 'keine Box: diesen Node öffnen und eine wählen'],
    ['locked: /home/me/box.2 is in use by another process; stop that one first, or choose another data directory.', 'anderswo in Gebrauch: /home/me/box.2 ist in einem anderen Prozess in Gebrauch; den erst anhalten, oder einen anderen Datenordner wählen.'],
    ['not-found: no box is running in /a/b: start one with `lanpost start --dir /a/b`', 'nicht gefunden: in /a/b läuft keine Box: eine starten mit `lanpost start --dir /a/b`'],
    ['the account was refused, check its name and password: not-authorized: Wrong, closed', 'das Konto wurde abgewiesen, Name und Passwort prüfen: not-authorized: Wrong, closed'],
    ["waiting · the server's certificate was not accepted: this box does not know the authority that signed it", 'wartet · das Zertifikat des Servers wurde nicht angenommen: diese Box kennt die Stelle nicht, die es unterschrieben hat'],
    ['waiting · 2 queued, oldest 5 s · home.example:5222: nobody knows an address of that name', 'wartet · 2 stehen an, ältestes 5 s · home.example:5222: niemand kennt eine Adresse dieses Namens'],
    ['[fe80::1]:5222: no machine answers there', '[fe80::1]:5222: dort antwortet keine Maschine'],
    // What a command of somebody else failed with is theirs.
    ['forbidden: paused', 'nicht erlaubt: paused'],
    ['config node "box a" has this data directory, paused', 'config node "box a" has this data directory, paused'],
    ['constructor: toString', 'constructor: toString'],
    ['received 5, 3 unac…', '5 empfangen, 3 unac…'],
    ['', ''],
    [', , : · ', ', , : · '],
  ])('%s', (text, words) => {
    expect(german.text(text)).toBe(words);
    expect(english.text(text)).toBe(text);
  });
});
