// A whole box whose owner and peers do everything at once that is kept on disk, until it is killed. Runs against the build,
// because a child process runs JavaScript.
//   node owner-box.mjs '{"dir": …}'
// Lines: {"state": {cell: value}}, what it finds when it opens; then {"will": {cell: value}} before each change and {"did": {cell: value}} when it
// is acknowledged, of one group of cells one after the other; {"acking": [topic, n]} before a durable reader confirms an item.
// It waits for a line on standard input: `work`, or `read`, which has it say {"all": [[topic, n]]}, what there is of all that was published, and
// {"rest": [[topic, n]]}, what its reader had not confirmed, and end.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

const { dir } = JSON.parse(process.argv[2] ?? '{}');
const dist = new URL('../../dist/src/', import.meta.url);
const { createBox } = await import(new URL('index.js', dist));
const { PeerSubscriptions } = await import(new URL('pubsub/peer-subscriptions.js', dist));

// What peers ask for comes over the link, which this box has none of: it is asked for where their streams would.
let subscriptions;
const { use } = PeerSubscriptions.prototype;
PeerSubscriptions.prototype.use = function (watcher) {
  subscriptions = this;
  use.call(this, watcher);
};

function say(line) {
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error; // whoever reads it has not kept up
    }
  }
}
const keys = (letter, count) => Array.from({ length: count }, (_, i) => [`${letter}${i}`, `${letter}${i}`.repeat(32)]);
const [AFFILIATED, TRUSTED, ASKING, LEASING] = [keys('a', 3), keys('b', 3), keys('c', 3), keys('d', 2)];
const REVOKED = ['e0', 'e0'.repeat(32)];
const ACCOUNT = 'xmpp:bob@example.org';
const WORK = ['work/0', 'work/1'];
const SET = ['set/0', 'set/1', 'set/2'];
const VIEW = 20;
const any = (list) => list[Math.floor(Math.random() * list.length)];

const box = await createBox({ dir, link: false, name: 'test' });
// What is trimmed goes at once, and may be deleted.
for (const [name, settings] of [[WORK[0], { maxItems: 100_000 }], [WORK[1], { maxItems: 100_000 }], ['small', { maxItems: VIEW }], ['shared', {}], ['asked', { accessModel: 'authorize' }], ['leased', { accessModel: 'open' }]]) {
  if (!await box.topics.get(name)) await box.topics.create(name, settings);
}

const row = (key, topic) => [...subscriptions.of(key, topic)][0];
const inOrder = (list) => list.toSorted((a, b) => (a < b ? -1 : 1)).join();
const words = ({ grants, denials }) => inOrder([...grants.map(({ right, filter }) => `${right} ${filter}`), ...denials.map(({ right, filter }) => `no ${right} ${filter}`)]);

async function state() {
  const found = {};
  for (const topic of [...WORK, 'small']) {
    const [newest] = await box.items(topic, { limit: 1 });
    found[topic] = newest?.value ?? 0;
    found[`${topic} records`] = (await box.topics.get(topic)).records;
  }
  const view = await box.items('small');
  found['small view'] = view.length;
  found['small items'] = (await box.topics.get('small')).items;
  for (const topic of SET) found[topic] = (await box.topics.get(topic))?.maxItems ?? 0;
  const affiliations = new Map((await box.topics.affiliations('shared')).map(({ fingerprint, affiliation }) => [fingerprint, affiliation]));
  for (const [name, key] of [...AFFILIATED, REVOKED]) found[`shared ${name}`] = affiliations.get(key) ?? 'none';
  const trusted = new Map((await box.trust.list()).map((entry) => [entry.fingerprint, words(entry)]));
  for (const [name, key] of [...TRUSTED, REVOKED]) found[`trust ${name}`] = trusted.get(key) ?? '';
  found['trust account'] = (await box.trust.accounts()).filter(({ name }) => name === ACCOUNT).map(words).join();
  found['trust class'] = (await box.trust.classes()).filter(({ name }) => name === 'class:seen').map(words).join();
  const waiting = new Set((await box.topics.requests('asked')).map(({ fingerprint }) => fingerprint));
  for (const [name, key] of [...ASKING, REVOKED]) found[`asked ${name}`] = waiting.has(key) ? 'pending' : subscriptions.isApproved(key, 'asked') ? 'approved' : 'none';
  for (const [name, key] of LEASING) found[`lease ${name}`] = row(key, 'leased')?.options.expire ?? 'none';
  return found;
}

const was = await state();
say({ state: was });

async function change(cells, doing) {
  say({ will: cells });
  await doing();
  say({ did: cells });
}

async function publish(topic) {
  const records = was[`${topic} records`] - was[topic];
  for (let n = was[topic] + 1; ; n++) {
    const view = topic === 'small' ? { 'small view': Math.min(n, VIEW), 'small items': Math.min(n, VIEW) } : {};
    await change({ [topic]: n, [`${topic} records`]: records + n, ...view }, () => box.publish(topic, n, { id: `${n}` }));
  }
}
async function set(topic) {
  for (;;) {
    const there = await box.topics.get(topic);
    const maxItems = 10 + Math.floor(Math.random() * 1000);
    if (!there) await change({ [topic]: maxItems }, () => box.topics.create(topic, { maxItems }));
    else if (Math.random() < 0.4) await change({ [topic]: 0 }, () => box.topics.delete(topic));
    else await change({ [topic]: maxItems }, () => box.topics.configure(topic, { maxItems }));
  }
}
async function affiliate([name, key]) {
  for (;;) {
    const affiliation = any(['publisher', 'member', 'outcast', 'owner', 'none', 'none']);
    await change({ [`shared ${name}`]: affiliation }, () => box.topics.setAffiliation('shared', key, affiliation));
  }
}
async function trust(cell, who, rights) {
  let said = new Set(was[cell] === '' ? [] : was[cell].split(','));
  for (;;) {
    if (said.size > 0 && Math.random() < 0.4) {
      said = new Set();
      await change({ [cell]: '' }, () => box.trust.revoke(who));
      continue;
    }
    const right = any(rights);
    const filter = `t${Math.floor(Math.random() * 4)}`;
    said.add(`${right} ${filter}`);
    await change({ [cell]: inOrder([...said]) }, () => box.trust.allow(who, right, filter));
  }
}
async function ask([name, key]) {
  for (;;) {
    const cell = `asked ${name}`;
    const now = row(key, 'asked');
    if (!now) await change({ [cell]: 'pending' }, () => subscriptions.subscribe({ fingerprint: key, name }, 'asked', undefined, 'pending', 0));
    else if (now.state === 'subscribed') await change({ [cell]: 'none' }, () => subscriptions.end(now, false));
    else if (Math.random() < 0.6) await change({ [cell]: 'approved' }, () => box.topics.approve('asked', key));
    else await change({ [cell]: 'none' }, () => box.topics.deny('asked', key));
  }
}
async function lease([name, key]) {
  for (;;) {
    const cell = `lease ${name}`;
    const expire = Date.now() + 86_400_000 + Math.floor(Math.random() * 1e9);
    const now = row(key, 'leased');
    if (!now) await change({ [cell]: expire }, () => subscriptions.subscribe({ fingerprint: key, name }, 'leased', { expire }, 'subscribed', 0));
    else if (Math.random() < 0.4) await change({ [cell]: 'none' }, () => subscriptions.end(now, false));
    else await change({ [cell]: expire }, () => subscriptions.configure(now, { expire }));
  }
}
/** With the key goes all that was said of it; what it asks for is its own. */
async function revoke([name, key]) {
  for (;;) {
    const asks = row(key, 'asked')?.state === 'pending';
    await change({ [`trust ${name}`]: '', [`shared ${name}`]: 'none', [`asked ${name}`]: asks ? 'pending' : 'none' }, () => box.trust.revoke(key).catch((error) => {
      if (error.code !== 'not-found') throw error;
    }));
    await change({ [`trust ${name}`]: 'read r' }, () => box.trust.allow(key, 'read', 'r'));
    await change({ [`shared ${name}`]: 'member' }, () => box.topics.setAffiliation('shared', key, 'member'));
    if (!asks) await change({ [`asked ${name}`]: 'pending' }, () => subscriptions.subscribe({ fingerprint: key, name }, 'asked', undefined, 'pending', 0));
    await change({ [`asked ${name}`]: 'approved' }, () => box.topics.approve('asked', key));
  }
}
const reader = box.subscribe('work/#', { durable: 'reader', from: 'start', ack: 'manual' });
async function read() {
  for await (const item of reader) {
    if (item.kind === 'gap') say({ gap: item });
    if (item.kind !== 'item') continue;
    if (Math.random() < 0.1) item.nack({ delay: 5 });
    else {
      say({ acking: [item.topic, item.value] });
      item.ack();
    }
  }
}
/** All items that it gets before the last one of each topic. */
async function take(subscription) {
  const taken = [];
  for (let ends = 0; ends < WORK.length;) {
    const { value: item } = await subscription.next();
    if (item.kind === 'gap') say({ gap: item });
    if (item.kind !== 'item') continue;
    if (item.value === 'end') ends++;
    else taken.push([item.topic, item.value]);
    item.ack();
  }
  await subscription.close();
  return taken;
}
async function readRest() {
  for (const topic of WORK) await box.publish(topic, 'end');
  say({ all: await take(box.subscribe('work/#', { from: 'start', ack: 'manual' })) });
  say({ rest: await take(reader) });
  await box.close();
  process.exit(0);
}

await reader.ready;
const order = new Promise((resolve) => { createInterface({ input: process.stdin }).on('line', resolve); });
if (await order === 'read') await readRest();
await Promise.all([
  ...WORK.map(publish), publish('small'), ...SET.map(set), ...AFFILIATED.map(affiliate), ...TRUSTED.map(([name, key]) => trust(`trust ${name}`, key, ['read', 'write'])),
  trust('trust account', ACCOUNT, ['command', 'device']), trust('trust class', 'class:seen', ['read', 'write']), ...ASKING.map(ask), ...LEASING.map(lease), revoke(REVOKED), read(),
]);
