import type { Command } from './command.ts';
import { access } from './commands/access.ts';
import { archive } from './commands/archive.ts';
import { avatar } from './commands/avatar.ts';
import { commandCommands } from './commands/command.ts';
import { component } from './commands/component.ts';
import { files } from './commands/files.ts';
import { passwd } from './commands/editor.ts';
import { device } from './commands/device.ts';
import { doctor } from './commands/doctor.ts';
import { home } from './commands/home.ts';
import { items } from './commands/items.ts';
import { ledger } from './commands/ledger.ts';
import { messages } from './commands/messages.ts';
import { outbox } from './commands/outbox.ts';
import { pair } from './commands/pair.ts';
import { peers } from './commands/peers.ts';
import { poison } from './commands/poison.ts';
import { presence } from './commands/presence.ts';
import { publish } from './commands/publish.ts';
import { rehearse } from './commands/rehearse.ts';
import { purge, retract } from './commands/retract.ts';
import { send } from './commands/send.ts';
import { start } from './commands/start.ts';
import { status } from './commands/status.ts';
import { subscribe } from './commands/subscribe.ts';
import { subscriptions } from './commands/subscriptions.ts';
import { topic } from './commands/topic.ts';
import { classify, find } from './commands/topic-search.ts';
import { trust } from './commands/trust.ts';

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  start, passwd, status, doctor, presence, ...peers, send, messages, ...commandCommands,
  publish, subscribe, items, retract, purge,
  ...topic, ...access, find, classify, ...subscriptions, ...poison, ledger,
  ...files, pair, ...avatar, ...trust, ...home, rehearse, ...outbox, ...device, ...component,
  ...archive,
];

/** What the commands that share a first word are for; the short help has one line for each. */
export const GROUPS: Readonly<Record<string, string>> = {
  editor: 'The password of the editor and the status page',
  command: 'Actions that boxes and other software offer, and running them',
  topic: 'The topics of the box, and how each is set',
  access: 'Who stands how to a topic, and who asks to read it',
  subscriptions: 'Who reads durably, and how far each has got',
  poison: 'What readers could not take, to be tried again or dropped',
  files: 'Send files to peers, and take theirs',
  avatar: 'The picture of the box, and those of peers',
  trust: 'Which keys were seen, and what each may do',
  home: 'XMPP servers to which topics are carried',
  device: 'Things that speak no XMPP, for which this box speaks',
  component: 'Addresses of devices, on an XMPP server of this machine',
  outbox: 'What waits for a home, carried there by another box in a file',
};
