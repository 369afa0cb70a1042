import { describe, expect, it } from 'vitest';
import type { RehearsalEvent, RehearsalReport } from '../../../src/api.ts';
import { openEdge, type Edge } from '../recorded/edge.ts';
import { scripted } from '../recorded/upstream.ts';
import { createRig, type Rig } from '../rig.ts';

const HOME = 'box@home.test';
const MINUTES = 10 * 60_000;

async function reported(events: AsyncIterable<RehearsalEvent>): Promise<{ report: RehearsalReport; events: RehearsalEvent[] }> {
  const all: RehearsalEvent[] = [];
  for await (const event of events) all.push(event);
  const report = all.at(-1)?.report;
  if (!report) throw new Error('there is no report');
  return { report, events: all };
}

/** What it left: readers, topics and notes here. */
const left = ({ log }: Edge | Rig): unknown[] => [[...log.cursors()].filter(({ name }) => name.includes('rehears')).map(({ name }) => name), [...log.topics()].filter((topic) => !topic.deleted && topic.name.includes('rehearse')).map(({ name }) => name), log.registry.entries('rehearsal:')];
const NOTHING = [[], [], []];

async function online(edge: Edge): Promise<void> {
  await edge.until(async () => (await edge.status()).state === 'online');
}

describe('an outage that is rehearsed', () => {
  it('is a real one of ten minutes, of the real log: all that was sent is stored, drained, and at home once; nothing of it stays', async () => {
    await using upstream = await scripted();
    await using edge = await openEdge({ upstream });
    await edge.add({ topics: ['#'] });
    await online(edge);
    edge.clock.rate = 200;
    const { calls } = edge.road;
    const watching = reported(edge.homes.rehearse({ outage: MINUTES, rate: 5 }));
    await edge.until(async () => (await edge.status()).state === 'waiting');
    expect((await edge.status()).reason).toMatch(/a rehearsal: its road is cut for 600 s/);
    expect((await edge.status()).nextAttempt).toEqual(expect.any(Number));
    // What others publish meets the same outage, and arrives after it.
    const accepted = await edge.publish('t', ['one', 'two']);
    const { report, events } = await watching;
    expect(report).toMatchObject({ home: HOME, outage: MINUTES, rate: 5, passed: true, lost: 0, doubled: 0, why: [] });
    expect([report.stored, report.drained]).toEqual([report.sent, report.sent]);
    expect(report.sent).toBeGreaterThanOrEqual(3_000);
    expect(report.peakBytes).toBeGreaterThan(3_000 * 50);
    expect(report.emptied).toBeGreaterThanOrEqual(report.reconnected ?? Infinity);
    expect([...new Set(events.map(({ phase }) => phase))]).toEqual(['before', 'cut', 'draining', 'reading', 'clearing', 'over']);
    // Nobody called while it was cut.
    expect(edge.road.calls - calls).toBe(1);
    expect(left(edge)).toEqual(NOTHING);
    expect(upstream.nodes()).toEqual(['t']);
    await edge.drained('t', 2);
    expect(await upstream.records('t')).toEqual(accepted);
  });

  it('has not passed when the home has lost some of what it acknowledged, whatever else was right', async () => {
    await using upstream = await scripted();
    await using edge = await openEdge({ upstream });
    await edge.add({ topics: [] });
    await online(edge);
    edge.clock.rate = 50;
    const watching = edge.homes.rehearse({ outage: 20_000, rate: 10 });
    const events: RehearsalEvent[] = [];
    for await (const event of watching) {
      events.push(event);
      // Behind the back of the session that is there.
      if (event.phase === 'reading') for (const node of upstream.nodes()) upstream.lose(node, 3);
    }
    expect(events.at(-1)?.report).toMatchObject({ passed: false, lost: 3, doubled: 0, why: ['3 are not at home'] });
    expect(left(edge)).toEqual(NOTHING);
  });

  it('has not passed when something is there more than once, whatever else was right', async () => {
    await using rig = await createRig();
    await rig.add({ topics: [] });
    await rig.state('online');
    let last: RehearsalReport | undefined;
    for await (const { phase, report } of rig.homes.rehearse({ outage: 1_000, rate: 20 })) {
      const [items] = rig.home.nodes.values();
      // Under other names, as a box would leave them that had forgotten what it sent.
      if (phase === 'reading') for (const [id, element] of [...items ?? []].slice(0, 2)) items?.set(`again ${id}`, element);
      last = report;
    }
    expect(last).toMatchObject({ passed: false, lost: 0, doubled: 2, why: ['2 are there more than once'] });
    expect(left(rig)).toEqual(NOTHING);
  });

  it.each([{ pack: true }, { pack: true, order: 'any' as const }])('goes up as the home\'s own rules say: %j', async (rule) => {
    await using upstream = await scripted();
    await using edge = await openEdge({ upstream });
    await edge.add({ topics: [], up: [{ filter: 'plant/#', ...rule }] });
    await online(edge);
    edge.clock.rate = 200;
    let items = 0;
    let last: RehearsalReport | undefined;
    for await (const { phase, report } of edge.homes.rehearse({ outage: MINUTES, rate: 5 })) {
      if (phase === 'reading') items = await upstream.count(upstream.nodes()[0] ?? '');
      last = report;
    }
    expect(last).toMatchObject({ passed: true, lost: 0, doubled: 0, why: [] });
    // Most of them in packs.
    expect(items).toBeGreaterThan(0);
    expect(items).toBeLessThan((last?.sent ?? 0) / 2);
    expect(left(edge)).toEqual(NOTHING);
    expect([...edge.log.registry.entries('pack:'), ...edge.log.registry.entries('stretch:')]).toEqual([]);
  });

  it('rehearses each way in which the rules send, with a node of its own; what a rule gives up is counted, and is no loss', async () => {
    await using upstream = await scripted();
    await using edge = await openEdge({ upstream });
    await edge.add({ topics: ['#'], up: [{ filter: 'a/#', pack: true }, { filter: 'b/#', expire: 60_000 }, { filter: 'c/#', pack: true }] });
    await online(edge);
    edge.clock.rate = 200;
    let nodes: string[] = [];
    let last: RehearsalReport | undefined;
    const items: number[] = [];
    for await (const { phase, report } of edge.homes.rehearse({ outage: MINUTES, rate: 3 })) {
      if (phase === 'reading') {
        nodes = upstream.nodes().toSorted();
        for (const node of nodes) items.push(await upstream.count(node));
      }
      last = report;
    }
    expect(last).toMatchObject({ passed: true, lost: 0, doubled: 0, why: [] });
    const { sent, stored, drained, expired = 0 } = last!;
    expect([stored, drained]).toEqual([sent, sent - expired]);
    // A third of them, but for the last minute's.
    expect(expired).toBeGreaterThan(400);
    expect(expired).toBeLessThan(sent / 3);
    expect(nodes.map((node) => node.replace(/\/[0-9a-f]+/, '/ID'))).toEqual(['rehearse/ID-1', 'rehearse/ID-2', 'rehearse/ID-3']);
    expect(items[0]).toBeLessThan(sent / 6);
    expect(items[1]).toBeLessThan(sent / 3 - 400);
    expect(items[2]).toBeGreaterThan(sent / 4);
    expect(left(edge)).toEqual(NOTHING);
    expect([...edge.log.registry.entries('pack:'), ...edge.log.registry.entries('stretch:')]).toEqual([]);
    expect(upstream.nodes()).toEqual([]);
  });

  it('keeps to the home\'s byte budget, which takes as long as it takes', async () => {
    await using upstream = await scripted();
    await using edge = await openEdge({ upstream });
    await edge.add({ topics: ['#'], budget: 100_000 });
    await online(edge);
    edge.clock.rate = 400;
    const begun = edge.clock.mono();
    const { report } = await reported(edge.homes.rehearse({ outage: 60_000, rate: 5 }));
    expect(report).toMatchObject({ passed: true, lost: 0, doubled: 0, why: [] });
    expect(report.sent).toBeGreaterThan(300);
    // More than the budget of an hour, and what waits for that is more than the quarter of an hour that a drain may last.
    expect(report.emptied).toBeGreaterThan(3_000_000);
    expect(report.budgetWait).toBeGreaterThan(3_000_000);
    expect(edge.clock.mono() - begun).toBeGreaterThan(3_600_000);
  });

  it('says so when the node keeps fewer, and looks for those', async () => {
    await using rig = await createRig();
    rig.home.set.maxItems = '15';
    await rig.add({ topics: [] });
    await rig.state('online');
    let last: RehearsalReport | undefined;
    for await (const { phase, report } of rig.homes.rehearse({ outage: 1_000, rate: 20 })) {
      const [node] = rig.home.nodes.keys();
      if (phase === 'reading') for (const id of [...rig.home.nodes.get(node ?? '')?.keys() ?? []].slice(0, -15)) rig.home.nodes.get(node ?? '')?.delete(id);
      last = report;
    }
    expect(last).toMatchObject({ passed: true, kept: 15, lost: 0 });
  });
});

describe('an outage of a group', () => {
  it('is that of the one in use; another goes on, nothing is lost, and what is at both is said', async () => {
    await using upstream = await scripted();
    await using other = await scripted();
    await using edge = await openEdge({ upstream });
    await edge.add({ topics: ['#'], group: 'plant', rank: 0 });
    await edge.homes.add({ ...other.account, jid: 'other@home.test', topics: ['#'], group: 'plant', rank: 1 });
    await edge.until(async () => (await edge.homes.list()).every(({ state }) => state === 'online'));
    edge.clock.rate = 50;
    let last: RehearsalReport | undefined;
    const there: number[] = [];
    for await (const { phase, report } of edge.homes.rehearse({ outage: 120_000, rate: 10 })) {
      if (phase === 'reading') for (const home of [upstream, other]) there.push(await home.count(home.nodes()[0] ?? ''));
      last = report;
    }
    expect(last).toMatchObject({ home: HOME, passed: true, lost: 0, doubled: 0, why: [] });
    const { sent, drained, repeated = 0 } = last!;
    expect(drained).toBe(sent);
    // What the first had acknowledged within the last minute goes to the second as well.
    expect(there[0]).toBeGreaterThan(10);
    expect(there[1]).toBeGreaterThan(sent / 2);
    expect((there[0] ?? 0) + (there[1] ?? 0)).toBe(sent + repeated);
    expect(left(edge)).toEqual(NOTHING);
    expect([upstream.nodes(), other.nodes()]).toEqual([[], []]);
    expect([...edge.log.registry.entries('pack:'), ...edge.log.registry.entries('stretch:')]).toEqual([]);
  });
});

describe('homes that start while one of them rehearses', () => {
  // Those that are kept start once the link is there; one that was added meanwhile goes at once.
  it('leave it its reader and its topic; what a former process left is cleared away when it is over', async () => {
    await using rig = await createRig();
    await rig.add({ topics: [] });
    await rig.state('online');
    let last: RehearsalReport | undefined;
    let started = false;
    for await (const { phase, report } of rig.homes.rehearse({ outage: 1_000, rate: 20 })) {
      if (phase === 'cut' && !started) {
        started = true;
        await rig.log.registry.set('rehearsal:former', { id: 'former', jid: HOME, service: 'pubsub.home.test', topic: '$rehearse/former', node: 'rehearse/former' });
        await rig.homes.start();
      }
      last = report;
    }
    expect(last).toMatchObject({ passed: true, lost: 0, why: [] });
    await rig.until(() => rig.log.registry.entries('rehearsal:').length === 0);
    expect(left(rig)).toEqual(NOTHING);
  });
});

describe('a rehearsal that is ended', () => {
  it('by a change of its account: what it made at home goes, without another outage', async () => {
    await using rig = await createRig();
    await rig.add({ topics: [] });
    await rig.state('online');
    const events = reported(rig.homes.rehearse({ outage: 60_000, rate: 20 }));
    events.catch(() => undefined);
    await rig.until(() => rig.home.nodes.size === 1);
    await rig.add({ topics: ['other'] });
    await expect(events).rejects.toMatchObject({ code: 'conflict' });
    await rig.until(() => rig.home.nodes.size === 0);
    await rig.until(() => rig.log.registry.entries('rehearsal:').length === 0);
    expect(left(rig)).toEqual(NOTHING);
  });

  it('by whoever follows it: the road is there again, and nothing of it stays', async () => {
    await using rig = await createRig();
    await rig.add({ topics: [] });
    await rig.state('online');
    for await (const { phase } of rig.homes.rehearse({ outage: 60_000 })) if (phase === 'cut') break;
    expect(left(rig).slice(0, 2)).toEqual([[], []]);
    await rig.state('online');
    await rig.until(() => rig.home.nodes.size === 0);
    await rig.until(() => rig.log.registry.entries('rehearsal:').length === 0);
  });

  it('by force: the home is there at the next start, and what was made goes, here and there', async () => {
    await using rig = await createRig();
    await rig.add({ topics: [] });
    await rig.state('online');
    const watching = rig.homes.rehearse({ outage: 60_000, rate: 100 });
    for (let step = await watching.next(); !step.done && step.value.phase !== 'cut';) step = await watching.next();
    const killed = rig.database.fork();
    expect(rig.home.nodes.size).toBe(1);
    const again = watching.return?.();
    // On the disk as it was when the process was killed.
    await rig.restart({}, killed);
    await again;
    await rig.state('online');
    await rig.until(() => rig.home.nodes.size === 0 && rig.log.registry.entries('rehearsal:').length === 0);
    expect(left(rig)).toEqual(NOTHING);
  });
});

describe('no rehearsal', () => {
  it('of what is not there, or is rehearsed already, or can be none', async () => {
    await using rig = await createRig();
    const next = (options: object): Promise<unknown> => rig.homes.rehearse(options as { outage: number }).next();
    await expect(next({ outage: 5_000 })).rejects.toMatchObject({ code: 'not-found' });
    await rig.add({ topics: [] });
    await rig.state('online');
    await expect(next({ outage: 5 })).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(next({ outage: '5' })).rejects.toThrow(TypeError);
    await expect(next({ outage: MINUTES, rate: 1_000 })).rejects.toMatchObject({ code: 'too-large' });
    await expect(next({ outage: 5_000, home: 'other@home.test' })).rejects.toMatchObject({ code: 'not-found' });
    const first = rig.homes.rehearse({ outage: 5_000 });
    await first.next();
    await expect(next({ outage: 5_000 })).rejects.toMatchObject({ code: 'in-use' });
    await first.return?.();
    await rig.homes.pause(HOME);
    await expect(next({ outage: 5_000 })).rejects.toMatchObject({ code: 'unreachable' });
    await rig.homes.resume(HOME);
    await rig.add({ topics: [], group: 'plant' });
    await rig.homes.add({ ...rig.home.account, jid: 'other@home.test', topics: [], group: 'plant', rank: 1 });
    await expect(next({ outage: 5_000, home: 'other@home.test' })).rejects.toMatchObject({ code: 'unsupported', message: expect.stringMatching(/^other@home.test stands by: nothing goes up to it, but to box@home.test/) as string });
  });

  it('where the home takes nothing anyway: said so, and cleared away', async () => {
    await using upstream = await scripted();
    await using edge = await openEdge({ upstream });
    await edge.add({ topics: [] });
    await online(edge);
    upstream.refuse((what) => what === 'create' || what === 'publish');
    edge.clock.rate = 200;
    await expect(reported(edge.homes.rehearse({ outage: 5_000 }))).rejects.toMatchObject({ code: 'unreachable', message: expect.stringMatching(/even while its road is there: .*forbidden/) as string });
    expect(left(edge)).toEqual(NOTHING);
  });
});
