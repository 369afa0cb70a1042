/** The rooms of the house and what each may import; `docs/ARCHITECTURE.md` has the same in words. */
const GROUND = ['errors', 'clock', 'api', 'xml', 'abortable', 'audience', 'call-failure', 'durable-file', 'event-stream', 'given', 'late', 'one-by-one', 'pairing-desk', 'pull-stream', 'sayable', 'seldom', 'sync-folder', 'topic-fields', 'version', 'write-behind'] as const;
const FIRST = ['payload', 'log', 'xmpp'] as const; // mdns too, but only the link may use it
const SECOND = ['pubsub', 'mail', 'trust', 'commands'] as const;
const BELOW_ROADS = [...GROUND, ...FIRST, ...SECOND, 'xep'] as const;

export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  clock: [],
  api: ['errors'],
  xml: ['errors'],
  abortable: [],
  'call-failure': [],
  audience: ['errors'],
  'event-stream': ['errors', 'audience'],
  late: ['errors'],
  given: [],
  'one-by-one': [],
  sayable: [],
  'pull-stream': [],
  seldom: ['api', 'clock'],
  'sync-folder': [],
  'durable-file': ['sync-folder'],
  'pairing-desk': ['api', 'errors'],
  'topic-fields': ['api'],
  version: [],
  'write-behind': ['clock', 'one-by-one'],
  payload: GROUND,
  log: GROUND,
  xmpp: GROUND,
  mdns: GROUND,
  pubsub: [...GROUND, 'log', 'payload'],
  mail: [...GROUND, 'log', 'payload'],
  trust: [...GROUND, 'log', 'payload'],
  commands: [...GROUND, 'log', 'payload'],
  xep: [...GROUND, 'xmpp', 'payload', 'pubsub', 'mail', 'commands'],
  link: [...BELOW_ROADS, 'mdns'],
  home: BELOW_ROADS,
  device: BELOW_ROADS,
  control: BELOW_ROADS,
  options: [...GROUND],
  requests: [...BELOW_ROADS, 'link', 'home'],
  'local-box': [...BELOW_ROADS, 'link', 'home', 'device', 'control', 'requests'],
  opened: [],
  'data-directory': ['errors'],
  store: [...BELOW_ROADS, 'options', 'opened', 'data-directory'],
  'on-link': [...BELOW_ROADS, 'mdns', 'link', 'options', 'opened'],
  assembly: [...BELOW_ROADS, 'link', 'home', 'device', 'control', 'options', 'local-box', 'requests', 'store', 'on-link'],
  box: [...GROUND, 'options', 'store', 'assembly', 'on-link'],
  doctor: [...GROUND, 'link'],
  'stopped-box': [...GROUND, 'log', 'pubsub', 'trust', 'options', 'opened', 'data-directory'],
  offline: [...GROUND, 'stopped-box'],
  index: ['api', 'errors', 'pairing-desk', 'topic-fields', 'payload', 'box', 'doctor', 'offline', 'options', 'control', 'version'],
  front: ['index', 'durable-file', 'sync-folder'],
  web: ['index', 'front'],
  editor: ['index', 'front'],
  cli: ['index', 'sync-folder', 'front', 'web', 'editor'],
  nodes: ['index'],
  examples: ['index'],
};

/** Rooms of which only the types may be imported, by importing room. */
export const TYPES_ONLY: Readonly<Record<string, readonly string[]>> = {
  pubsub: ['xmpp'], mail: ['xmpp'], trust: ['xmpp'],
};

/** The room that a file of `src`, `nodes` or `examples` belongs to. */
export function roomOf(path: string): string {
  const [top = '', second = ''] = path.split('/');
  return top === 'src' ? second.replace(/\.ts$/, '') : top;
}
