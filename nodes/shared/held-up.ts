import { ageInWords } from './age-in-words.ts';
import type { Queue } from './under-way.ts';

/** For so long nothing is said of what is not answered: in normal traffic it never takes so long. */
export const GRACE_MS = 2000;
/** From then on a status says how old the oldest is. */
const OLD_MS = 60_000;

/** `, oldest 2 min`; nothing of what is not old. */
export function oldestInWords(age: number): string {
  return age < OLD_MS ? '' : `, oldest ${ageInWords(age)}`;
}

/** What waits, and what the box has not answered for a while, as it goes before the rest of a status; empty: nothing. */
export function heldUp(waiting: Queue, unanswered: Queue): string {
  const isLate = unanswered.age >= GRACE_MS;
  const phrases = [
    ...(waiting.size === 0 ? [] : [`${waiting.size} waiting`]),
    ...(isLate ? [`${unanswered.size} not answered`] : []),
  ];
  if (phrases.length === 0) return '';
  const age = Math.max(waiting.age, unanswered.age);
  return `${phrases.join(', ')}${isLate ? `, oldest ${ageInWords(age)}` : oldestInWords(age)}: `;
}
