// A thousand boxes on a simulated link, in the time of a test clock: do all see all, and what does that put on the link?
import { advance, type Box, world } from '../../mdns/world.ts';
import { inMiB, type Row } from '../figures.ts';

const BOXES = 1000;
const START = 20_000;
const REST = 120_000;
const STEP = 250;

export async function benchCrowd(): Promise<Row[]> {
  const { clock, lan, box } = world();
  const begun = performance.now();
  const boxes: Box[] = [];
  for (let index = 0; index < BOXES; index++) {
    boxes.push(await box(`h${index}`, { families: [4], txt: [['txtvers', '1'], ['1st', 'box'], ['status', 'avail'], ['nick', `box ${index}`]] }));
  }
  const whole = (): number => boxes.filter(({ peers }) => peers.size === BOXES - 1).length;
  let after: number | undefined;
  for (let at = 0; at < START; at += STEP) {
    await advance(clock, STEP);
    if (after === undefined && whole() === BOXES) after = at + STEP;
  }
  const packets = lan.packets.length;
  const bytes = lan.packets.reduce((sum, packet) => sum + packet.bytes.length, 0);
  const longest = lan.packets.reduce((most, packet) => Math.max(most, packet.bytes.length), 0);
  const busiest = lan.packets.reduce((seconds, { at }) => seconds.set(Math.floor(at / 1000), (seconds.get(Math.floor(at / 1000)) ?? 0) + 1), new Map<number, number>());
  lan.packets.length = 0;
  await advance(clock, REST);
  const minutes = REST / 60_000;
  const rest = lan.packets.length / BOXES / minutes;
  const still = whole();
  console.log(`${BOXES} simulated boxes: ${Math.round((performance.now() - begun) / 1000)} s of computing`);
  await Promise.all(boxes.map(({ mdns }) => mdns.close()));
  return [{
    what: `${BOXES} simulated boxes that start together: boxes that see all, and after how long`, peer: '', target: 'all',
    ours: `${still === BOXES ? 'all' : still}, ${after === undefined ? 'never' : `${after / 1000} s`}`, met: still === BOXES && after !== undefined,
  }, {
    what: `packets and bytes per box in the first ${START / 1000} s`, peer: '', target: '≤ 20 packets', met: packets / BOXES <= 20,
    ours: `${(packets / BOXES).toFixed(1)} and ${Math.round(bytes / BOXES).toLocaleString('en')}; ${Math.max(...busiest.values()).toLocaleString('en')} packets in the busiest second`,
  }, {
    what: 'packets per box and minute at rest', ours: rest.toFixed(1), peer: '', target: '≤ 4', met: rest <= 4,
  }, {
    what: 'longest datagram', ours: `${longest} bytes`, peer: '', target: '≤ 1,452', met: longest <= 1452,
  }, { what: 'memory of it all', ours: inMiB(process.memoryUsage.rss() / 2 ** 20), peer: '' }];
}
