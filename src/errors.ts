/** Every code a `LanpostError` can carry: what it means, and when it is raised. */
export const ERROR_CODES = {
  closed: 'The box, subscription or stream has been closed.',
  busy: 'Too much is waiting to be written; try again shortly.',
  'disk-full': 'The disk has no room above the floor; nothing was stored.',
  'topic-full': 'The topic is full and its owner chose to refuse new items.',
  'too-large': 'The value, stanza or batch is over its limit.',
  'invalid-topic': 'The topic name or filter is not well formed.',
  'invalid-value': 'The value cannot be stored or sent in the form asked for.',
  forbidden: 'The access rules do not allow this.',
  'not-found': 'There is no such topic, item, subscription, peer or home.',
  conflict: 'It exists already, or was changed by someone else.',
  'in-use': 'Another reader holds this durable name or device, another process this port, or a pairing or a rehearsal is under way already.',
  locked: 'The data directory is in use by another process.',
  unreachable: 'No road reaches the address now.',
  expired: 'The message or item was not delivered before it expired.',
  timeout: 'No answer came in time.',
  disconnected: 'The connection was lost before the answer came.',
  corrupt: 'Stored data is damaged.',
  'format-too-new': 'The data directory was written by a newer lanpost.',
  impostor: 'The name is held by a key other than the paired one; nothing was sent.',
  unsupported: 'The other side, or this system, cannot do that.',
  failed: 'A command was run, and failed.',
  superseded: 'A newer item took its place before the reader had it.',
  dropped: 'The reader will not get it: too much waited for it, its owner gave it up, or it came down from another home, and goes up to none.',
  refused: 'The reader would not take it; it was put aside.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/**
 * What every failure of lanpost's own is thrown as. `code` is stable, `message` is for people
 * and says what to do next where that is known. Wrong argument types are a plain `TypeError`.
 */
export class LanpostError extends Error {
  override readonly name = 'LanpostError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string = ERROR_CODES[code], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
