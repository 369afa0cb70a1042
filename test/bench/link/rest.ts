// Eleven whole boxes, a process and a host each, that have found each other on a real link and have nothing to do.
import { boxesAtRest } from '../../support/at-rest.ts';
import { needs } from '../../support/needs.ts';
import { median, type Row } from '../figures.ts';

const BOXES = 11;
const SECONDS = 120;

export async function benchRest(): Promise<Row[]> {
  if (!needs('root')) return [{ what: 'boxes at rest', ours: 'not measured', peer: 'needs root' }];
  const { cores, packets } = await boxesAtRest(BOXES, SECONDS);
  const busiest = Math.max(...cores);
  return [{
    what: `one core's share that the busiest box takes at rest with ${BOXES - 1} peers (the median of ${BOXES})`, peer: '', target: '≤ 0.5 %',
    ours: `${busiest.toFixed(2)} % (${median(cores).toFixed(2)} %)`, met: busiest <= 0.5,
  }, { what: 'packets that it sends in a minute', ours: packets.toFixed(1), peer: '' }];
}
