// A sensor that never loses a reading: node examples/sensor.mjs [DIR]
// Publishes once a second until Ctrl-C. Each line is printed when the reading is on disk.
import { setTimeout as sleep } from 'node:timers/promises';
import { createBox } from 'lanpost';

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

const box = await createBox({ dir: process.argv[2] ?? '.lanpost-example', name: 'sensor' });
try {
  // Anyone whom the owner allowed may read it: lanpost trust allow PEER read 'hall/#'
  await box.topics.create('hall/temperature', { title: 'Temperature of the hall', maxItems: 3600 })
    .catch((error) => { if (error.code !== 'conflict') throw error; }); // it is there from the last time
  while (!stop.signal.aborted) {
    const value = Math.round((20 + Math.sin(Date.now() / 60_000) * 3) * 10) / 10;
    const { recordId } = await box.publish('hall/temperature', { value, unit: 'Cel' });
    console.log(`${recordId}  ${value} °C`);
    await sleep(1000, undefined, { signal: stop.signal }).catch(() => undefined); // aborted: the loop ends
  }
} finally {
  await box.close();
}
