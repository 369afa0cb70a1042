import { createScene } from './scene.ts';
import { box, mosquitto, nullRelay, prosody, type Server } from './servers.ts';
const scene = await createScene();
if (typeof scene === 'string') throw new Error(scene);
const makers: Record<string, () => Promise<Server>> = {
  m0: () => mosquitto(scene, { qos: 0 }), m1: () => mosquitto(scene, { qos: 1 }),
  mc: () => mosquitto(scene, { qos: 1, durable: true, lines: ['autosave_on_changes true', 'autosave_interval 1'] }),
  pm: () => prosody(scene, { durable: false }), pp: () => prosody(scene, { durable: true }),
  nul: () => nullRelay(scene), live: () => box(scene, {}), dur: () => box(scene, { durable: true }), mem: () => box(scene, { config: { storage: 'memory' } as object }),
};
const prof = process.env['PROF'];
for (const arg of process.argv.slice(2)) {
  const [name = '', ...more] = arg.split(',');
  const options = Object.fromEntries(more.map((one) => one.split('=')));
  let server: Server | undefined;
  try {
    server = name === 'disk' ? undefined : prof ? await box(scene, { durable: name === 'dur', env: { NODE_OPTIONS: `--import /tmp/w/bench-scratch/prof.mjs` } }) : await makers[name]!();
    console.log(name, JSON.stringify(await scene.load({ ...server?.load ?? { mode: 'disk', dir: scene.dir }, ...options })));
  } catch (error) { console.log(name, String(error).slice(0, 1500)); }
  await server?.[Symbol.asyncDispose]();
}
await scene[Symbol.asyncDispose]();
