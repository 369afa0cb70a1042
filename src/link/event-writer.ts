import type { Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';
import { noticeOf } from '../pubsub/notice.ts';
import { eventMessage, type EventText, eventText } from '../xep/pubsub/event.ts';
import type { Element } from '../xmpp/element.ts';

/** Runs of records whose text is remembered: subscribers who keep up ask for the same few, one after the other. */
const REMEMBERED = 4;

interface Kept { readonly records: readonly LogRecord[]; readonly text: EventText }

/** Notifications, of which all that does not differ between subscribers is written once. */
export class EventWriter {
  readonly #log: Pick<Log, 'predecessor'>;
  /** The newest first. */
  readonly #kept: Kept[] = [];

  constructor(log: Pick<Log, 'predecessor'>) {
    this.#log = log;
  }

  /** Of records of one topic. */
  message(reader: string, records: readonly LogRecord[]): Element {
    return eventMessage(reader, this.#text(records));
  }

  #text(records: readonly LogRecord[]): EventText {
    const known = this.#kept.find((kept) => kept.records.length === records.length && kept.records.every((record, i) => record === records[i]));
    if (known) return known.text;
    const text = eventText(records[0]?.topic ?? '', records.map((record) => noticeOf(record, this.#log.predecessor(record))));
    this.#kept.unshift({ records, text });
    this.#kept.splice(REMEMBERED);
    return text;
  }
}
