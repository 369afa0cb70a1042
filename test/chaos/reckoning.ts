// What must hold after each fault: what is at home is what was accepted without what the ledger counts, each once, complete by its
// numbers; and at the other box the same, in order.
import { eventually } from '../support/eventually.ts';
import type { Loss } from './chaos-box.ts';
import type { Held, HeldRecord } from './witness.ts';
import { HEALED, seqOf, SHORT, TOPICS, type World } from './world.ts';

export interface AtHome { readonly byTopic: ReadonlyMap<string, readonly HeldRecord[]>; readonly records: readonly string[]; readonly packs: number; readonly items: number }

export async function atHome({ witness }: World): Promise<AtHome> {
  const held: [string, Held][] = [];
  for (const node of [...TOPICS, SHORT]) held.push([node, await witness.of(node)]);
  return {
    byTopic: new Map(held.map(([node, { records }]) => [node, records])), records: held.flatMap(([, { records }]) => records.map(({ recordId }) => recordId)),
    packs: held.reduce((sum, [, { packs }]) => sum + packs, 0), items: held.reduce((sum, [, { items }]) => sum + items, 0),
  };
}

/** Which of these the ledger says were lost. */
const isCounted = (losses: readonly Loss[], topic: string | undefined, recordId: string): boolean => losses.some((loss) => loss.topic === topic && loss.from <= seqOf(recordId) && seqOf(recordId) <= loss.to);

/** In which round it was published; 0: before the first. */
const roundOf = ({ up, firsts }: World, id: string): number => firsts.findLastIndex((first) => first <= (up.acked.get(id) ?? 0)) + 1;

const topicOf = ({ up }: World, recordId: string): string | undefined => up.asked.get(up.acked.get(recordId) ?? -1);

/** Everything accepted is at home and below, or counted. */
export async function caughtUp(world: World): Promise<void> {
  const { up, down, excused } = world;
  let missing = '';
  const whole = async (): Promise<boolean> => {
    const there = new Set([...(await atHome(world)).records, ...excused.atHome]);
    const taken = new Set([...(await down.dump()).map(([, id]) => id), ...excused.below]);
    const losses = await up.losses();
    const wanted = [...up.acked.keys()].filter((id) => !isCounted(losses, topicOf(world, id), id));
    const [above, under] = [wanted.filter((id) => !there.has(id)), wanted.filter((id) => !taken.has(id))];
    missing = `${above.length} missing at home, ${under.length} at the other box, published in rounds ${[...new Set([...above, ...under].map((id) => roundOf(world, id)))].join(' ')} to ${[...new Set([...above, ...under].map((id) => topicOf(world, id)))].join(' and ')}, e.g. ${above[0] ?? under[0] ?? ''}`;
    return above.length + under.length === 0;
  };
  await eventually(whole, { within: HEALED, every: 300 }).catch(async (error: unknown) => {
    throw new Error(`${missing}; ${JSON.stringify((await up.status()).homes)} ${JSON.stringify((await down.status()).homes)}`, { cause: error });
  });
}

/** What is settled is given up by the log; then all that is said above is held to. Gives how many were counted as lost. */
export async function reckoned(world: World): Promise<number> {
  const { up, down, excused } = world;
  // Where the session was lost meanwhile, the minute begins anew when it has been seen what is there.
  const settled = async (): Promise<boolean> => {
    await up.settle();
    return (await up.status()).homes.every((home) => home.queued === 0);
  };
  await eventually(settled, { within: HEALED, every: 500 }).catch(async (error: unknown) => {
    throw new Error(`it does not settle: ${JSON.stringify(await up.status())}`, { cause: error });
  });
  const { byTopic, records } = await atHome(world);
  await allGot(world);
  const taken = await down.dump();
  // All has settled: what is sent again after a deletion is there by now.
  excused.atHome.there(records);
  const losses = await up.losses();
  for (const [where, ids] of [['at home', records], ['at the other box', taken.map(([, id]) => id)]] as const) {
    const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
    if (twice.length > 0) throw new Error(`${twice.length} are twice ${where}, e.g. ${twice[0]}`);
    const foreign = ids.filter((id) => !id.startsWith(`${up.id}-`));
    if (foreign.length > 0) throw new Error(`${foreign.length} are ${where} that nobody published, e.g. ${foreign[0]}`);
  }
  // What was being accepted when the box was killed may be there or not.
  const unknown = up.asked.size - up.acked.size;
  const more = new Set([...records, ...excused.atHome, ...taken.map(([, id]) => id)]).size - [...up.acked.keys()].filter((id) => !isCounted(losses, topicOf(world, id), id)).length;
  if (more > unknown) throw new Error(`${more} more than were accepted, where at most ${unknown} were not answered`);
  isUnchanged(world, 'at home', [...byTopic.values()].flat());
  isUnchanged(world, 'at the other box', taken.map(([, recordId, n]) => ({ recordId, ...(n === undefined ? {} : { n }) })));
  const counted = countedIn(world, losses, new Set(records));
  for (const [topic, held] of byTopic) isComplete(world, topic, held, losses);
  isInOrder(world, taken);
  return counted;
}

/** The other box's reader is handed what its topics hold, nothing twice as if it were new; what it was handed is in the topics, or went with its node. */
async function allGot({ down }: World): Promise<void> {
  const held = (await down.dump()).map(([, id]) => id);
  const whole = async (): Promise<boolean> => {
    down.look();
    return Promise.resolve(held.every((id) => down.got.has(id)));
  };
  await eventually(whole, { within: HEALED, every: 100, tell: () => Promise.resolve(held.filter((id) => !down.got.has(id)).slice(0, 5)) });
  const twice = [...down.got].filter(([, times]) => times > 1);
  if (twice.length > 0) throw new Error(`${twice.length} came twice to the reader of the other box, e.g. ${twice[0]?.join(' ')}`);
}

/** What is there under a record's id is what was accepted under it. */
function isUnchanged({ up }: World, where: string, held: readonly { readonly recordId: string; readonly n?: number }[]): void {
  const other = held.filter(({ recordId, n }) => n === undefined || (up.acked.get(recordId) ?? n) !== n);
  if (other.length > 0) throw new Error(`${other.length} are not ${where} as they were accepted, e.g. ${JSON.stringify(other[0])}`);
}

/** Accepted without the counted is what is there: the ledger's numbers are those that are missing. */
function countedIn(world: World, losses: readonly Loss[], there: ReadonlySet<string>): number {
  const { up } = world;
  const counted = losses.reduce((sum, { count }) => sum + count, 0);
  const missing = [...up.acked.keys()].filter((id) => topicOf(world, id) === SHORT && !there.has(id)).length;
  if (counted !== missing) throw new Error(`${counted} are counted as lost, and ${missing} are: ${JSON.stringify(losses)}`);
  return counted;
}

/** Each record at home names the one before it: that is there, too, or went when its node was deleted, or it is counted. The first names what made the topic. */
function isComplete(world: World, topic: string, held: readonly HeldRecord[], losses: readonly Loss[]): void {
  const { excused, up } = world;
  const known = new Set([...held.map(({ recordId }) => recordId), ...excused.atHome].map(seqOf));
  const first = Math.min(...[...up.acked.keys()].filter((id) => topicOf(world, id) === topic).map(seqOf));
  const holes = held.filter(({ previous = 0 }) => previous >= first && !known.has(previous) && !isCounted(losses, topic, `-${previous}`));
  if (holes.length > 0) throw new Error(`${holes.length} records of ${topic} follow one that is not at home, e.g. ${JSON.stringify(holes[0])}`);
}

/** Below each is in the topic that it was published to, and those of a topic are in the order in which they were accepted. */
function isInOrder(world: World, taken: readonly (readonly [topic: string, recordId: string, n?: number])[]): void {
  const { up } = world;
  const elsewhere = taken.filter(([topic, id]) => up.acked.has(id) && topicOf(world, id) !== topic);
  if (elsewhere.length > 0) throw new Error(`${elsewhere.length} are in another topic at the other box, e.g. ${elsewhere[0]?.join(' ')}`);
  const newest = new Map<string, number>();
  for (const [topic, id] of taken) {
    const seq = seqOf(id);
    if (seq <= (newest.get(topic) ?? 0)) throw new Error(`at the other box ${id} of ${topic} comes after ${newest.get(topic)}`);
    newest.set(topic, seq);
  }
}
