import { recordsOf, type HomeRecord } from '../../src/home/pack-element.ts';
import { xml } from '../../src/xmpp/element.ts';
import type { FakeHome } from './fake-home.ts';

/** The records in the home's node, alone or in packs, in the order in which they came. */
export function stored(home: FakeHome, node: string): HomeRecord[] {
  return [...home.nodes.get(node)?.entries() ?? []].flatMap(([id, payload]) => recordsOf(xml('item', { id }, payload)));
}
