import { UsageError } from './usage-error.ts';

/** Characters of one line of input; nothing longer is held. */
const LONGEST = 16 * 1024 * 1024;

/** The lines of a text stream that are not empty, with their numbers from 1. */
export async function* lines(input: AsyncIterable<Uint8Array | string>): AsyncGenerator<{ readonly number: number; readonly text: string }> {
  const decoder = new TextDecoder();
  let rest = '';
  let number = 0;
  for await (const chunk of input) {
    const pieces = (rest + (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))).split('\n');
    rest = pieces.pop() ?? '';
    for (const piece of pieces) {
      number++;
      if (piece.trim() !== '') yield { number, text: piece.trim() };
    }
    if (rest.length > LONGEST) throw new UsageError(`line ${number + 1} is longer than ${LONGEST} characters`);
  }
  rest += decoder.decode();
  if (rest.trim() !== '') yield { number: number + 1, text: rest.trim() };
}
