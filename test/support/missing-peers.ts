import { missingLines } from './needs.ts';

/** Runs once, before all tests: says what is not here, so that a skipped test is never a surprise. */
export default function setup(): void {
  if (process.env['LANPOST_REQUIRE_PEERS'] === '1') return; // there a missing peer is a failure, told by the test
  for (const line of missingLines()) console.warn(line);
}
