import { describe, expect, it } from 'vitest';
import { Audience } from '../src/audience.ts';

describe('an audience', () => {
  it('is told in the order in which it came; what one throws harms nobody else', () => {
    const [told, failed]: [string[], unknown[]] = [[], []];
    const audience = new Audience<string>((error) => failed.push(error));
    audience.add((event) => void told.push(`a ${event}`));
    audience.add(() => { throw new Error('b'); });
    audience.add((event) => void told.push(`c ${event}`));
    audience.tell('x');
    expect(told).toEqual(['a x', 'c x']);
    expect(failed).toEqual([new Error('b')]);
  });

  it('is told no more once it has left, also meanwhile; who comes meanwhile hears of what is next', () => {
    const told: string[] = [];
    const audience = new Audience<string>(() => undefined);
    const late = (event: string): void => void told.push(`late ${event}`);
    audience.add(() => {
      leave();
      if (!told.includes('late y')) audience.add(late);
    });
    const leave = audience.add((event) => void told.push(`left ${event}`));
    audience.tell('x');
    expect(told).toEqual([]);
    audience.tell('y');
    expect(told).toEqual(['late y']);
  });

  it('may have somebody in it twice, who leaves once for each', () => {
    let told = 0;
    const audience = new Audience<void>(() => undefined);
    const listener = (): void => void told++;
    const [leave] = [audience.add(listener), audience.add(listener)];
    leave();
    leave();
    audience.tell();
    expect([told, audience.isEmpty]).toEqual([1, false]);
  });
});
