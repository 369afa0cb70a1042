// Copies of what peers' topics hold: one topic each, below `$at/<box id>/`.
import type { TopicSettings } from '../api.ts';

const ROOT = '$at/';
/** How much of a copy can be asked for is for the owner of this box to say; what the topic is, its own owner says. */
const OWN_SETTINGS: readonly string[] = ['maxItems', 'maxBytes', 'maxAge'];

/** Where a remote topic (or filter) of the box `remote` is kept here. */
export function mirrorName(remote: string, topic: string): string {
  return `${ROOT}${remote}/${topic}`;
}

export function isMirror(topic: string): boolean {
  return topic.startsWith(ROOT);
}

/** A mirrored topic goes by the name its owner gave it. */
export function ownName(topic: string): string {
  return isMirror(topic) ? topic.slice(topic.indexOf('/', ROOT.length) + 1) : topic;
}

/** Whether these are settings that no record of the peer could be refused by. */
export function isMirrorSettings(settings: TopicSettings): boolean {
  return Object.keys(settings).every((field) => OWN_SETTINGS.includes(field));
}
