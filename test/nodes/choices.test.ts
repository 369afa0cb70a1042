import { expect, it } from 'vitest';
import { useEmbeddingBox } from './embedding-box.ts';
import { useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const tab = { id: 'f', type: 'tab', label: 'test' };
const config = { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true };

interface Answer { readonly status: number; readonly body: { readonly choices?: readonly { readonly value: string; readonly label?: string; readonly detail?: string }[]; readonly more?: boolean; readonly reason?: string } }
const ask = (path: string): Promise<Answer> => flows.request().get(`/lanpost/boxes/${path}`) as Promise<Answer>;

it('lists the live topics of the box that a config node opened, and of the one that runs the editor before any deploy', async () => {
  const box = await openBox();
  await box.topics.create('hall/1/temperature', { title: 'Warmth' });
  await box.publish('hall/1/temperature', 20);
  await box.publish('door', true);
  await load([tab, config], { lanpost: { box } });
  for (const id of ['box', 'embedded']) {
    const { status, body } = await ask(`${id}/choices/topics`);
    expect(status).toBe(200);
    expect(body.choices).toContainEqual({ value: 'hall/1/temperature', label: 'Warmth', detail: '1 item' });
    expect(body.choices).toContainEqual({ value: 'door', detail: '1 item' });
    expect(body.more).toBe(false);
  }
});

it('finds by what is typed, and gives at most a hundred', async () => {
  const box = await openBox();
  for (let n = 0; n < 101; n++) await box.topics.create(`many/${n}`);
  await box.topics.create('one');
  await load([tab, config], { lanpost: { box } });
  expect((await ask('box/choices/topics?q=ONE')).body).toMatchObject({ choices: [{ value: 'one' }], more: false });
  const many = (await ask('box/choices/topics?q=many')).body;
  expect(many.choices).toHaveLength(100);
  expect(many.more).toBe(true);
  expect((await ask('box/choices/topics?q=nothing')).body).toEqual({ choices: [], more: false });
});

it('lists homes with their state, and durable readers', async () => {
  const box = await openBox({ homes: [{ jid: 'me@home.invalid', password: 'secret', host: '127.0.0.1', port: 1 }] });
  await box.subscribe('a/#', { durable: 'archive' }).close();
  await box.messages({ name: 'archived' }).close();
  await load([tab, config], { lanpost: { box } });
  expect((await ask('box/choices/homes')).body.choices).toMatchObject([{ value: 'me@home.invalid' }]);
  expect((await ask('box/choices/readers?q=arch')).body.choices).toEqual([{ value: 'archive', label: 'a/#', detail: '0 waiting' }]);
  expect((await ask('box/choices/peers')).body).toEqual({ choices: [], more: false });
  expect((await ask('box/choices/addresses')).body).toEqual({ choices: [], more: false });
});

it('says why there is nothing to list', async () => {
  await load([tab, { ...config, id: 'gone', mode: 'attach', dir: 'nobody' }]);
  expect((await ask('unknown/choices/topics')).status).toBe(404);
  expect((await ask('embedded/choices/topics')).status).toBe(404);
  expect((await ask('gone/choices/topics')).status).toBe(503);
  const box = await openBox();
  await flows.unload();
  await load([tab, config], { lanpost: { box } });
  expect((await ask('box/choices/secrets')).status).toBe(404);
  expect((await ask('box/choices/constructor')).status).toBe(404);
});
