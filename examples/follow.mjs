// Follows the topics of a box that runs: node examples/follow.mjs [FILTER] [DIR]
// The reader is durable: stop it, start it again, and it goes on where it stopped.
import { attachBox } from 'lanpost';

const [filter = '#', dir = '.lanpost'] = process.argv.slice(2);
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

const box = await attachBox({ dir });
try {
  // Asking for the next item confirms the one before: an item whose handling throws comes again.
  for await (const item of box.subscribe(filter, { durable: 'follow-example', from: 'start', signal: stop.signal })) {
    if (item.kind === 'item') console.log(new Date(item.time).toISOString(), item.topic, item.value, item.redelivered ? '(again)' : '');
    else if (item.kind === 'gap') console.log(`lost: ${item.count ?? 'some'} records (${item.reason})`);
    else console.log(item.kind, item.topic);
  }
} catch (error) {
  if (!stop.signal.aborted) throw error;
} finally {
  await box.close();
}
