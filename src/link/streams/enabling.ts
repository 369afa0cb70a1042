// How the two ends of a proven stream come to count stanzas (XEP-0198 §3), or to go on where another broke (§5).
import { attr, type Element, namespaceOf, xml } from '../../xmpp/element.ts';
import { NS_STANZAS } from '../../xmpp/stanza-error.ts';
import { NS_SM, parseH } from '../../xmpp/stream-management.ts';
import type { StreamEvent } from '../../xmpp/xml-stream.ts';
import type { KeyedName } from './precedence.ts';
import { Refusal } from './refusal.ts';
import type { Session } from './session.ts';
import type { Claim, Sessions } from './sessions.ts';

export type SessionTerms = Pick<Sessions, 'open' | 'claim' | 'asked' | 'holds' | 'back' | 'refused'>;

export interface Managed {
  /** Stanzas are counted and acknowledged. */
  readonly managed: boolean;
  /** What outlives the stream; absent when the peer wants none of that. */
  readonly session?: Session;
  /** It goes on from an earlier stream, of which the peer has so many. */
  readonly resumed?: { readonly claim: Claim; readonly h: number };
}

/** As long as an id of a session may be. */
const ID_CHARACTERS = 128;
/** Resumptions that one stream may ask for. */
const TRIES = 2;

/** The side that dialled: takes up what was lost, if there is something, or begins anew. */
export async function enableOrResume(sessions: SessionTerms, peer: KeyedName, channel: {
  readonly write: (element: Element) => void; readonly element: () => Promise<Element>;
}): Promise<Managed> {
  const claim = await sessions.claim(peer);
  if (claim === 'conflict') throw atItAlready();
  if (claim) {
    const resumed = await resume(sessions, claim, channel).catch((error: unknown) => {
      sessions.back(claim);
      throw error;
    });
    if (resumed) return resumed;
  }
  channel.write(xml('enable', { xmlns: NS_SM, resume: 'true' }));
  const enabled = await channel.element();
  if (!is(enabled, 'enabled')) throw new Refusal('protocol', 'policy-violation', 'stream management was refused');
  const id = attr(enabled, 'id');
  if (!isTrue(attr(enabled, 'resume')) || id === undefined || id.length > ID_CHARACTERS) return { managed: true };
  const seconds = parseH(attr(enabled, 'max'));
  return { managed: true, session: sessions.open(peer, { id, lasts: seconds === undefined ? undefined : seconds * 1_000 }) };
}

/** Nothing: the peer does not know the session any more. */
async function resume(sessions: SessionTerms, claim: Claim, channel: {
  readonly write: (element: Element) => void; readonly element: () => Promise<Element>;
}): Promise<Managed | undefined> {
  const { session } = claim;
  channel.write(xml('resume', { xmlns: NS_SM, previd: session.id, h: String(session.confirmations.h) }));
  const answer = await channel.element();
  if (is(answer, 'resumed')) {
    const h = parseH(attr(answer, 'h'));
    if (h !== undefined && sessions.holds(claim, h)) return { managed: true, session, resumed: { claim, h } };
    sessions.refused(claim);
    throw new Refusal('protocol', 'undefined-condition', 'the peer resumed with an h that cannot be');
  }
  if (!is(answer, 'failed')) throw new Refusal('protocol', 'policy-violation', 'neither resumed nor failed');
  if (answer.getChild('conflict', NS_STANZAS)) throw atItAlready();
  sessions.refused(claim);
  return undefined;
}

/** The side that was called. Whatever else comes first is put back: then stanzas are not counted. */
export async function enableAsAsked(sessions: SessionTerms, peer: KeyedName, channel: {
  readonly write: (element: Element) => void; readonly next: () => Promise<StreamEvent | undefined>; readonly unread: (event: StreamEvent) => void;
}): Promise<Managed> {
  for (let tries = 0; ; tries += 1) {
    const next = await channel.next();
    const asked = next?.type === 'stanza' ? next.element : undefined;
    if (asked && is(asked, 'enable')) {
      if (!isTrue(attr(asked, 'resume'))) {
        channel.write(xml('enabled', { xmlns: NS_SM }));
        return { managed: true };
      }
      const session = sessions.open(peer);
      channel.write(xml('enabled', { xmlns: NS_SM, id: session.id, resume: 'true', max: String(session.lasts / 1_000) }));
      return { managed: true, session };
    }
    if (!asked || !is(asked, 'resume') || tries === TRIES) {
      if (next) channel.unread(next);
      return { managed: false };
    }
    const h = parseH(attr(asked, 'h'));
    const claim = await sessions.asked(attr(asked, 'previd') ?? '', h, peer);
    if (typeof claim === 'object' && h !== undefined) {
      channel.write(xml('resumed', { xmlns: NS_SM, previd: claim.session.id, h: String(claim.session.confirmations.h) }));
      return { managed: true, session: claim.session, resumed: { claim, h } };
    }
    channel.write(xml('failed', { xmlns: NS_SM }, xml(claim === 'conflict' ? 'conflict' : 'item-not-found', { xmlns: NS_STANZAS })));
  }
}

function atItAlready(): Refusal {
  return new Refusal('peer', 'undefined-condition', 'the peer is resuming the session itself');
}

function is(element: Element, name: string): boolean {
  return element.getName() === name && namespaceOf(element) === NS_SM;
}

/** xs:boolean. */
function isTrue(text: string | undefined): boolean {
  return text === 'true' || text === '1';
}
