/** Bounds of the control socket; `docs/LIMITS.md` lists them. */
export const CONTROL_LIMITS = {
  /** Bytes of one frame, either way. */
  frameBytes: 16 * 1024 * 1024,
  /** Connections at once. */
  connections: 256,
  /** Calls of one connection being worked on; then its socket is not read until one is done. */
  calls: 1024,
  /** Streams (subscriptions, watches, lists being fetched) of one connection. */
  streams: 1000,
  /** Receipts of one connection still waited for; the oldest is given up for a new one. */
  receipts: 10_000,
  /** Bytes waiting to be written to one connection before the box stops handing it more. */
  backlogBytes: 1024 * 1024,
  /** Bytes of calls a client holds back before it refuses more. */
  clientBytes: 64 * 1024 * 1024,
  /** Milliseconds for a client to be greeted. */
  greeting: 5000,
  /** Milliseconds for a stopping box to flush its last words to a client. */
  farewell: 1000,
} as const;

export type ControlLimits = { readonly [Name in keyof typeof CONTROL_LIMITS]: number };
