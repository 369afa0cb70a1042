import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { ROOT } from '../support/root.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { useFlows } from './flow-kit.ts';
import { saidIn } from './said.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);

interface Request { readonly url: string; readonly method: 'GET' | 'DELETE' }
interface Answered { readonly status: number; readonly body: unknown }

interface Dialogs { ask(box: string, route: string, query: object, method: Request['method']): Promise<unknown> }

/** The editor's own script, whose requests go to the Node-RED of this test. */
function dialogs(): Dialogs {
  const ajax = ({ url, method }: Request): object => {
    const sent = flows.request()[method === 'GET' ? 'get' : 'delete'](`/${url}`) as Promise<Answered>;
    const told = async (take: (answer: Answered) => void): Promise<void> => take(await sent);
    const asked = {
      done(take: (body: unknown) => void) {
        void told(({ status, body }) => { if (status === 200) take(body); });
        return asked;
      },
      fail(take: (answer: object) => void) {
        void told(({ status, body }) => { if (status !== 200) take({ status, responseJSON: body }); });
        return asked;
      },
    };
    return asked;
  };
  const window = { lanpost: { said: saidIn('de') } };
  const script = readFileSync(join(ROOT, 'resources/lanpost-editor.js'), 'utf8');
  runInNewContext(script, { window, $: { ajax }, RED: { _: (key: string) => key, nodes: { node: () => ({}) } }, Promise, Error });
  return window.lanpost as unknown as Dialogs;
}

it('what a dialog cannot have is told as what it is', async () => {
  const box = await openBox();
  await load([{ id: 'f', type: 'tab', label: 'test' }, { id: 'box', type: 'lanpost box', mode: 'auto' }], { lanpost: { box } });
  const asking = dialogs();
  await expect(asking.ask('box', 'readers/none', {}, 'DELETE')).rejects.toThrow('diesen Leser gibt es nicht');
  await expect(asking.ask('elsewhere', 'readers', {}, 'GET')).rejects.toThrow('diese Box läuft hier noch nicht: erst Deploy');
  expect(await asking.ask('box', 'readers', {}, 'GET')).toEqual({ readers: [] });
});
