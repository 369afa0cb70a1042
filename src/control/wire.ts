// What is said on the control socket. A stream hands out nothing that was not pulled; every
// value it hands out has a number, by which it is confirmed or given back.
import { parseFailure, type Failure } from './failure.ts';
import { isRecord } from './record.ts';

/** Characters of what the other side sent that are told. */
const QUOTED = 40;

/** Raised by one at every change an older side could misread. */
export const PROTOCOL = 1;

/** Client to box. `id` is chosen by the client, never used twice on a connection. */
export type Request =
  | { readonly type: 'call'; readonly id: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly type: 'open'; readonly id: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly type: 'pull'; readonly id: number; readonly count: number }
  | { readonly type: 'ack'; readonly id: number; readonly no: number }
  | { readonly type: 'nack'; readonly id: number; readonly no: number; readonly delay: number }
  | { readonly type: 'close'; readonly id: number };

/** Box to client. */
export type Reply =
  | { readonly type: 'hello'; readonly protocol: number; readonly version: string; readonly name: string; readonly dirId: string }
  | { readonly type: 'answer'; readonly id: number; readonly value?: unknown }
  | { readonly type: 'failure'; readonly id: number; readonly error: Failure }
  | { readonly type: 'ready'; readonly id: number }
  | { readonly type: 'next'; readonly id: number; readonly no: number; readonly value?: unknown }
  | { readonly type: 'end'; readonly id: number };

/** The other side does not speak this protocol; the connection is of no use any more. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

const count = (value: unknown, what: string): number => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new ProtocolError(`${what} is not a whole number`);
  return value;
};
const text = (value: unknown, what: string): string => {
  if (typeof value !== 'string') throw new ProtocolError(`${what} is not text`);
  return value;
};

const quoted = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value.slice(0, QUOTED)) : `a ${typeof value}`);
/** Any number is one: what may be waited the box says. */
const number = (value: unknown, what: string): number => {
  if (typeof value !== 'number' || Number.isNaN(value)) throw new ProtocolError(`${what} is not a number`);
  return value;
};

export function parseRequest(message: unknown): Request {
  if (!isRecord(message)) throw new ProtocolError('not a request');
  const { type } = message;
  const id = count(message['id'], 'id');
  switch (type) {
    case 'call':
    case 'open': {
      const { args } = message;
      if (!Array.isArray(args)) throw new ProtocolError('args is not a list');
      return { type, id, method: text(message['method'], 'method'), args };
    }
    case 'pull': return { type, id, count: count(message['count'], 'count') };
    case 'ack': return { type, id, no: count(message['no'], 'no') };
    case 'nack': return { type, id, no: count(message['no'], 'no'), delay: number(message['delay'], 'delay') };
    case 'close': return { type, id };
    default: throw new ProtocolError(`no request is called ${quoted(type)}`);
  }
}

export function parseReply(message: unknown): Reply {
  if (!isRecord(message)) throw new ProtocolError('not a reply');
  const { type } = message;
  if (type === 'hello') {
    return {
      type,
      protocol: count(message['protocol'], 'protocol'),
      version: text(message['version'], 'version'),
      name: text(message['name'], 'name'),
      dirId: text(message['dirId'], 'dirId'),
    };
  }
  const id = count(message['id'], 'id');
  switch (type) {
    case 'answer': return { type, id, value: message['value'] };
    case 'failure':
      return { type, id, error: parseFailure(message['error']) };
    case 'next': return { type, id, no: count(message['no'], 'no'), value: message['value'] };
    case 'ready':
    case 'end': return { type, id };
    default: throw new ProtocolError(`no reply is called ${quoted(type)}`);
  }
}
