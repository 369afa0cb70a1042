// Every setting of a topic, in one table, on floor 0: the broker checks by it, and a program that only attaches knows it too.
import type { TopicConfig } from './api.ts';

/** What a setting takes. Spans are milliseconds, sizes bytes. */
export type FieldKind =
  | { readonly kind: 'text'; readonly most: number; readonly form?: RegExp }
  /** Each once. */
  | { readonly kind: 'texts'; readonly most: number; readonly each: number; readonly of?: readonly string[] }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'flag' }
  | { readonly kind: 'count' | 'span' | 'size'; readonly least: number; readonly most: number }
  | { readonly kind: 'json' };

/** One setting of a topic: what it takes, and what it does in a few words. */
export type TopicField = FieldKind & { readonly help: string };

/** The most items a view may name; the disk bounds it long before. */
const MAX_ITEMS = 2 ** 31;
/** The most bytes of an item that a topic may name; the box's own limit bounds it long before. */
const MAX_BYTES = 2 ** 31;

/** The most bytes of a view, and milliseconds of a span, that a topic may name. */
const MAX_VIEW = 2 ** 50;
const MAX_SPAN = 100 * 365 * 86_400_000;

/** RFC 6901 §3. */
const POINTER = /^(\/([^~/]|~[01])*)+$/;
/** RFC 5646, loosely; RFC 6838 §4.2. */
const LANGUAGE = /^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$/;
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/;

/** Every setting of a topic: what is checked, what the command line takes and the help says come from here. */
export const TOPIC_FIELDS: Readonly<Record<keyof TopicConfig, TopicField>> = {
  title: { kind: 'text', most: 1024, help: 'a name for people' },
  description: { kind: 'text', most: 1024, help: 'what its items say, for people' },
  type: { kind: 'text', most: 1024, help: 'what kind of items it has; often the namespace of their payload' },
  language: { kind: 'text', most: 64, form: LANGUAGE, help: 'the language of its items, as en or de-AT' },
  contentType: { kind: 'text', most: 255, form: MEDIA_TYPE, help: 'the media type of its items, as application/json' },
  tags: { kind: 'texts', most: 32, each: 64, help: 'words to find it by' },
  schema: { kind: 'json', help: 'file with a JSON schema that its items must fit' },
  accessModel: { kind: 'choice', choices: ['open', 'presence', 'roster', 'authorize', 'whitelist'], help: 'who may read it without a grant' },
  rosterGroups: { kind: 'texts', most: 2, each: 64, of: ['class:seen', 'class:paired'], help: 'who may read it when accessModel is roster' },
  publishModel: { kind: 'choice', choices: ['publishers', 'subscribers', 'open'], help: 'who may publish to it without a grant' },
  maxItems: { kind: 'count', least: 1, most: MAX_ITEMS, help: 'how many newest items can be asked for' },
  maxBytes: { kind: 'size', least: 1, most: MAX_VIEW, help: 'how many bytes of newest items can be asked for; the newest always can' },
  maxAge: { kind: 'span', least: 1, most: MAX_SPAN, help: 'how old an item that can be asked for may be' },
  full: { kind: 'choice', choices: ['drop-oldest', 'reject'], help: 'what happens when maxItems or maxBytes is reached: the oldest item goes, or the new one is refused' },
  itemExpire: { kind: 'span', least: 1, most: MAX_SPAN, help: 'after how long its items are over' },
  lane: { kind: 'choice', choices: ['history', 'latest'], help: 'what readers that were away get: everything, or the newest item of each id or key' },
  key: { kind: 'text', most: 256, form: POINTER, help: 'in the lane latest: a JSON pointer to what in an item says which one it replaces, as /sensor' },
  storage: { kind: 'choice', choices: ['disk', 'memory'], help: 'where its items are; in memory they are lost when the box ends. Decided when it is made' },
  maxPayload: { kind: 'size', least: 1, most: MAX_BYTES, help: 'how large an item may be' },
  persist: { kind: 'flag', help: 'whether items can be asked for later, not only be notified of' },
  deliverNotifications: { kind: 'flag', help: 'whether subscribers are told of anything' },
  deliverPayloads: { kind: 'flag', help: 'whether items come with what is in them' },
  notifyConfig: { kind: 'flag', help: 'whether subscribers are told when its settings change' },
  notifyDelete: { kind: 'flag', help: 'whether subscribers are told when it is deleted' },
  notifyRetract: { kind: 'flag', help: 'whether subscribers are told when an item is taken back' },
  notifySub: { kind: 'flag', help: 'whether its owners are told who subscribes' },
  notificationType: { kind: 'choice', choices: ['headline', 'normal'], help: 'what kind of message a notification is to XMPP clients' },
  presenceBased: { kind: 'flag', help: 'whether only peers that are there are notified' },
  sendLast: { kind: 'choice', choices: ['never', 'on-sub', 'on-sub-and-presence'], help: 'when a subscriber gets the newest item unasked' },
  purgeOffline: { kind: 'flag', help: 'whether what a publisher published goes when it leaves' },
  itemReply: { kind: 'choice', choices: ['owner', 'publisher'], help: 'whom a reader may answer: told with each item' },
};
