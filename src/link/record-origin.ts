import type { Origin } from '../log/record.ts';
import { parseRecordId } from '../log/record-id.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';

/** The record id a peer sent, read; a bad one is the peer's fault and is answered as such. */
export function originOf(recordId: string): Origin {
  try {
    return parseRecordId(recordId);
  } catch (error) {
    throw new StanzaError('bad-request', { text: error instanceof Error ? error.message : String(error) });
  }
}
