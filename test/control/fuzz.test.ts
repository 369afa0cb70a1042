import { once } from 'node:events';
import { connect } from 'node:net';
import { anything, array, assert, asyncProperty, constantFrom, integer, oneof, record, uint8Array } from 'fast-check';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { createCodec } from '../../src/control/codec.ts';
import { frame } from '../../src/control/frame.ts';
import { sandbox, type Sandbox } from './sandbox.ts';

const request = record({
  type: constantFrom('call', 'open', 'pull', 'ack', 'nack', 'close', 'hello', ''),
  id: oneof(integer({ min: 0, max: 5 }), anything()),
  method: oneof(constantFrom('echo', 'list', 'hang'), anything()),
  args: oneof(array(anything(), { maxLength: 3 }), anything()),
  count: oneof(integer({ min: 0, max: 5 }), anything()),
  no: oneof(integer({ min: 0, max: 5 }), anything()),
  delay: oneof(integer({ min: 0, max: 5 }), anything()),
}, { requiredKeys: ['type', 'id'] });

/** What CBOR cannot say is left out: the other side may send anything, but only as bytes. */
function bytesOf(message: unknown): Buffer {
  try {
    return frame(createCodec().encode(message as object), 1_000_000);
  } catch {
    return Buffer.alloc(0); // a symbol or a function: nothing to send
  }
}

describe('the control socket', () => {
  let box: Sandbox;
  beforeAll(async () => {
    box = await sandbox({
      call: async (_, args) => args[0],
      open: () => ({
        ready: Promise.resolve(),
        next: async () => ({ done: false, value: { value: 1, ack: () => undefined, nack: () => undefined } }),
        close: () => Promise.resolve(),
      }),
    });
  });
  afterAll(() => box[Symbol.asyncDispose]());

  const survives = async (bytes: Uint8Array): Promise<void> => {
    const socket = connect(box.server.path);
    socket.on('error', () => undefined).resume().end(bytes);
    await once(socket, 'close');
    const client = await box.attach();
    if (await client.rpc.call('echo', ['alive']) !== 'alive') throw new Error('the others are not served any more');
    await client.close();
  };

  it('lives through any bytes', () => assert(asyncProperty(uint8Array({ maxLength: 2000 }), survives), { numRuns: 150 }));
  it('lives through any frames', () => assert(asyncProperty(array(uint8Array({ maxLength: 200 })), (bodies) => survives(Buffer.concat(bodies.map((body) => frame(body, 1000))))), { numRuns: 150 }));
  it('lives through any requests', () => assert(asyncProperty(array(request), (requests) => survives(Buffer.concat(requests.map(bytesOf)))), { numRuns: 300 }));
});
