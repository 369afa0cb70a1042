import { setImmediate as nextTurn } from 'node:timers/promises';
import type { TopicCandidate, TopicInfo } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { essenceOf, type Payload } from '../payload/payload.ts';
import { payloadNamespace } from '../payload/xml.ts';
import type { Schemas } from './schema/schemas.ts';
import { keyOf } from './topic-key.ts';

/** Schemas that one question is checked against, and milliseconds it may take in all: each could take its time. */
const MOST_SCHEMAS = 4096;
const MOST_TIME = 1000;
/** Milliseconds after which others get their turn. */
const TURN = 10;

/** How much each reason says: a schema is made for its items, a media type is that of many. */
const WEIGHT = { schema: 4, type: 3, contentType: 2, tag: 1 } as const;

/** The topics that could hold it and have something in common with it, best first. A topic of which nothing is said could hold anything, and says nothing. */
export async function classify(topics: readonly TopicInfo[], payload: Payload, tags: readonly string[], schemas: Pick<Schemas, 'load' | 'fault'>): Promise<TopicCandidate[]> {
  const found: (TopicCandidate & { readonly weight: number })[] = [];
  const namespace = payloadNamespace(payload);
  const given = topics.filter(({ schema }) => schema !== undefined).length;
  if (given > MOST_SCHEMAS) throw tooMany();
  if (given > 0) await schemas.load();
  // Of the processor's time, whatever a test's clock says.
  let turned = performance.now();
  const until = turned + MOST_TIME;
  for (const topic of topics) {
    const now = performance.now();
    if (now > until) throw tooMany();
    if (now - turned > TURN) {
      await nextTurn();
      turned = performance.now();
    }
    if (!couldHold(topic, payload)) continue;
    if (topic.schema !== undefined && schemas.fault(topic.schema, payload) !== undefined) continue;
    const shared = topic.tags.filter((tag) => tags.includes(tag.toLowerCase()));
    const reasons: TopicCandidate['reasons'] = [
      ...topic.schema === undefined ? [] : [{ kind: 'schema' } as const],
      ...namespace !== undefined && topic.type === namespace ? [{ kind: 'type', value: namespace } as const] : [],
      ...topic.contentType === undefined ? [] : [{ kind: 'contentType', value: topic.contentType } as const],
      ...shared.map((value) => ({ kind: 'tag', value } as const)),
    ];
    if (reasons.length > 0) found.push({ topic, reasons, weight: reasons.reduce((sum, { kind }) => sum + WEIGHT[kind], 0) });
  }
  return found.toSorted((a, b) => b.weight - a.weight || (a.topic.name < b.topic.name ? -1 : 1)).map(({ topic, reasons }) => ({ topic, reasons }));
}

function tooMany(): LanpostError {
  return new LanpostError('busy', 'too many topics are to be looked at: say by a filter which are meant');
}

function couldHold(topic: TopicInfo, payload: Payload): boolean {
  if (topic.contentType !== undefined && essenceOf(topic.contentType) !== essenceOf(payload.contentType)) return false;
  if (topic.maxPayload !== undefined && payload.bytes.length > topic.maxPayload) return false;
  if (topic.key === undefined) return true;
  try {
    keyOf(topic.name, topic.key, payload);
    return true;
  } catch (error) {
    if (error instanceof LanpostError) return false; // it has no key there
    throw error;
  }
}
