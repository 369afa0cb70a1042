// Nodes of the account itself (XEP-0163): flat names that anybody may choose, often URIs, and no topics. They lie below `$pep/`.
import type { AccessModel, TopicSettings } from '../api.ts';

const ROOT = '$pep/';

/** All of them. */
export const PERSONAL = '$pep/+';

/** XEP-0163 §5: whoever sees this box as a friend may read, and gets the newest when it comes. */
export const PERSONAL_CONFIG: TopicSettings & { readonly accessModel: AccessModel } = { accessModel: 'presence', sendLast: 'on-sub-and-presence', maxItems: 1, notificationType: 'headline' };

/** Where the node of that name lies: what would part its name into levels, or be a wildcard, is written otherwise. */
export function personalTopic(node: string): string {
  return ROOT + node.replaceAll(/[%/+#]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The name of the node that lies there; undefined for any other topic. */
export function personalNode(topic: string): string | undefined {
  if (!isPersonal(topic)) return undefined;
  return topic.slice(ROOT.length).replaceAll(/%(25|2F|2B|23)/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

export function isPersonal(topic: string): boolean {
  return topic.startsWith(ROOT) && !topic.includes('/', ROOT.length);
}
