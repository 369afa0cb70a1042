import { LanpostError } from '../../src/errors.ts';
import type { Letter } from '../../src/mail/letter.ts';
import type { Handed, Road } from '../../src/mail/road.ts';

/** A road whose far side the test plays. */
export class PlayedRoad implements Road {
  open: boolean = true;
  keyless: boolean = false;
  readonly carried: { letter: Letter; confirm: () => void; lose: (error?: LanpostError) => void }[] = [];
  #arrival: (() => void) | undefined;
  refuse: LanpostError | undefined;

  reaches(): boolean { return this.open; }
  holds(): boolean { return !this.keyless; }
  async deliver(_address: unknown, letter: Letter): Promise<Handed> {
    if (this.refuse) throw this.refuse;
    const handed = new Promise<void>((resolve, reject) => {
      this.carried.push({ letter, confirm: resolve, lose: (error = new LanpostError('disconnected')) => reject(error) });
    });
    this.#arrival?.();
    return this.keyless ? {} : { delivered: handed };
  }
  async carriedBy(count: number): Promise<void> {
    while (this.carried.length < count) await new Promise<void>((resolve) => { this.#arrival = resolve; });
  }
}
