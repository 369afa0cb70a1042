/** Bounds of the control socket; `docs/LIMITS.md` lists them. */
export interface ControlLimits {
  /** Bytes of one frame, either way. */
  readonly frameBytes: number;
  /** Connections at once. */
  readonly connections: number;
  /** Calls of one connection being worked on; then its socket is not read until one is done. */
  readonly calls: number;
  /** Streams (subscriptions, watches, lists being fetched) of one connection; receipts are counted apart. */
  readonly streams: number;
  /** Receipts of one connection still waited for; the oldest is given up for a new one. */
  readonly receipts: number;
  /** Bytes waiting to be written to one connection before the box stops handing it more. */
  readonly backlogBytes: number;
  /** Bytes of calls a client holds back before it refuses more. */
  readonly clientBytes: number;
  /** Milliseconds for a client to be greeted. */
  readonly greeting: number;
  /** Milliseconds for a box to close a stream; then its reader waits no more. */
  readonly parting: number;
  /** Milliseconds for a stopping box to answer what was asked before it hangs up; and for a box to hang up on a program that leaves. */
  readonly farewell: number;
}

const MEBIBYTE = 1_048_576;

export const CONTROL_LIMITS: ControlLimits = {
  frameBytes: 16 * MEBIBYTE,
  connections: 256,
  calls: 1024,
  streams: 1000,
  receipts: 10_000,
  backlogBytes: MEBIBYTE,
  clientBytes: 64 * MEBIBYTE,
  greeting: 5000,
  parting: 3000,
  farewell: 1000,
};
