import { describe, expect, test } from 'vitest';
import { HalfReceived } from '../../../src/link/streams/half-received.ts';

const MIB = 1 << 20;
const stranger = (): { isStranger: boolean } => ({ isStranger: true });
const paired = (): { isStranger: boolean } => ({ isStranger: false });

describe('what is half received', () => {
  test('may be much of a few, or little of many', () => {
    const held = new HalfReceived();
    for (let i = 0; i < 16; i += 1) expect(held.hold(stranger(), MIB / 4)).toBeUndefined();
    for (let i = 0; i < 12; i += 1) expect(held.hold(paired(), MIB)).toBeUndefined();
    expect(held.total).toBe(16 * MIB);
  });

  test('of strangers gives way first: the one who has most of it', () => {
    const held = new HalfReceived();
    const [greedy, modest, friend] = [stranger(), stranger(), paired()];
    held.hold(friend, 8 * MIB);
    held.hold(greedy, 3 * MIB);
    expect(held.hold(modest, MIB)).toBeUndefined();
    expect(held.hold(modest, MIB + 1)).toBe(greedy);
    held.hold(greedy, 0);
    expect(held.hold(friend, 15 * MIB)).toBe(modest);
    held.hold(modest, 0);
    expect(held.hold(friend, 16 * MIB)).toBeUndefined();
    expect(held.hold(paired(), 1)).toBe(friend);
  });

  test('is forgotten when it has ended', () => {
    const held = new HalfReceived();
    const one = stranger();
    held.hold(one, MIB);
    held.hold(one, 0);
    expect(held.total).toBe(0);
  });
});
