// Home accounts: what goes up, what comes down, how they stand.

/** Which topics go up to a home, and how. Of several rules that match a topic, the first that was given has it. */
export interface UpRule {
  readonly filter: string;
  /** Name of the home's node, with `{topic}` for the topic's name and `{box}` for the box's id; default `{topic}`. */
  readonly node?: string;
  /** Of one topic, whether records go up as they were accepted (`kept`), or what is live before a backlog (`any`). Default `kept`. */
  readonly order?: 'kept' | 'any';
  /** -9 to 9; what waits of a higher one goes first. Default 0. */
  readonly priority?: number;
  /** Milliseconds, counted in time that can be trusted: what waited for longer is not sent any more, and the ledger says so. Default: for ever. */
  readonly expire?: number;
  /** Small records that pile up go several in one item: at most so many, and so many bytes of XML. `true` is 500 and 65536. Default `false`. */
  readonly pack?: boolean | { readonly records?: number; readonly bytes?: number };
}

export interface HomeOptions {
  /** Bare JID of the box's account. */
  readonly jid: string;
  readonly password: string;
  /** Connect there: nothing is looked up, neither in DNS nor in host-meta. Default: what these say. */
  readonly host?: string;
  readonly port?: number;
  /** PEM of a private certificate authority, instead of the system's. */
  readonly ca?: string;
  /** How to get there; default `auto`: what DNS says, then what the domain's host-meta says. */
  readonly transport?: HomeTransport;
  /** Of the server's WebSocket (`wss:`) or BOSH (`https:`) service, instead of asking the domain's host-meta. */
  readonly url?: string;
  /** SHA-256 of the server's public key (SPKI), base64: with any other than these nobody speaks. */
  readonly pin?: readonly string[];
  /** `http://[USER:PASSWORD@]HOST[:PORT]` or `socks5://…`: this home is reached through it, and only this one. */
  readonly proxy?: string;
  /** Whether the password itself may be shown to a verified server that offers nothing better; default false. */
  readonly plain?: boolean;
  /** Homes of one group are one reader: what is published goes to one of them. */
  readonly group?: string;
  /** Within the group: the lowest that is connected is the one; default 0. */
  readonly rank?: number;
  /** Pubsub service; `pep` is the account's own. Default `pubsub.<domain>`, in whose place the account's own is taken where it is not there or lets the account make no node. */
  readonly service?: string;
  /** Which topics go up, under their own names and in order; after those of `up`. Default none. */
  readonly topics?: readonly string[];
  /** Which topics go up, and how. */
  readonly up?: readonly UpRule[];
  /** Bytes of items in any hour, for links that are paid by volume; default as many as go. */
  readonly budget?: number;
  /** Which nodes come down. Default none. */
  readonly down?: readonly DownRule[];
}

/** What comes down from a home: what happens to its nodes happens to topics here. */
export interface DownRule {
  /** A node's name, or a filter of names as of topics. */
  readonly node: string;
  /** Where it is; default the home's pubsub service. */
  readonly service?: string;
  /** Its topic here, in which `{node}` stands for its name. Default `{node}`. */
  readonly as?: string;
  /** With what a node begins that did not come down before: what it holds, or what is published from now on. Default `start`. */
  readonly from?: 'start' | 'new';
}

/** Over TCP with TLS, at once or asked for; over WebSocket (RFC 7395); over HTTP requests (XEP-0206). */
export type HomeTransport = 'auto' | 'starttls' | 'tls' | 'websocket' | 'bosh';

/** A domain on a server of this machine (XEP-0114), under which devices have addresses. */
export interface ComponentOptions {
  readonly domain: string;
  /** A loopback address, for what is said there is in the clear; default 127.0.0.1. */
  readonly host?: string;
  /** Default 5347. */
  readonly port?: number;
  /** That the server's administrator has set. */
  readonly secret: string;
  /** `NAME@domain` is an address for each. */
  readonly devices?: readonly string[];
}

export interface ComponentStatus {
  readonly domain: string;
  readonly devices: readonly string[];
  readonly state: 'connecting' | 'online' | 'waiting' | 'refused';
  /** When that state began, ms since 1970. */
  readonly since: number;
  /** Why it is not online, in words. */
  readonly reason?: string;
}

/** How far what waited for a home has gone up, while more than a few records wait. */
export interface DrainProgress {
  /** When it began, ms since 1970: when there last was nothing to send, or the home was not there. */
  readonly since: number;
  /** Records that the home has taken since. */
  readonly done: number;
  /** And that it has not. About: it goes on while they are counted. */
  readonly left: number;
  /** Records a second, over the last minute. */
  readonly rate: number;
  /** Ms until nothing is left, if it goes on so and nothing is added; absent while nothing goes. */
  readonly estimate?: number;
}

/** `draining`: how far it is, once a second at most. `drained`: all of it is up; `drained` has what that was. */
export interface HomeEvent {
  readonly type: 'state' | 'draining' | 'drained';
  readonly home: HomeStatus;
  readonly drained?: DrainProgress;
}

export type HomeState = 'offline' | 'connecting' | 'online' | 'waiting' | 'refused' | 'paused';

export interface HomeStatus {
  readonly jid: string;
  readonly service: string;
  readonly topics: readonly string[];
  readonly state: HomeState;
  /** When that state began, ms since 1970. */
  readonly since: number;
  /** The neighbour through which it is connected; absent when this box has a road of its own. */
  readonly via?: string;
  /** What carries the session, while it is online: `tls host:port`, `websocket wss://…`. */
  readonly over?: string;
  /** The group it belongs to, and whether it is the one that gets what the group gets. */
  readonly group?: { readonly name: string; readonly rank: number; readonly active: boolean };
  /** Why it is not online, in words; while it is, why what is queued waits: the byte budget is used up, topics are held. */
  readonly reason?: string;
  /** When it will be tried again, ms since 1970. */
  readonly nextAttempt?: number;
  /** While it is online: for how long the server has not answered whether it is there, in ms. Absent while it answers. */
  readonly unanswered?: number;
  /** Records not settled. Homes of a group are one reader: each says what is queued for the group. */
  readonly queued: number;
  /** Of them, those that the home has not acknowledged; absent when there are none. */
  readonly left?: number;
  /** About how many bytes the queued ones have, those that the home has acknowledged among them: they stay for this home. */
  readonly queuedBytes: number;
  /** Age in ms of the oldest of those that the home has not acknowledged, or while it has all of them of the oldest that has not settled; 0 when nothing is queued. */
  readonly oldestAge: number;
  /** Its topic, and the durable reader that keeps it; absent when there is none. */
  readonly oldest?: { readonly topic: string; readonly reader: string };
  /** What the home acknowledged, records and bytes a second over the last minute. */
  readonly rate: { readonly items: number; readonly bytes: number };
  /** Ms until nothing waits, if it goes on at that rate; absent while nothing goes. */
  readonly drains?: number;
  /** While a backlog goes up: how far it is. */
  readonly draining?: DrainProgress;
  /** While records wait: hours until the disk is at its floor, if the store grows as in the last quarter of an hour; absent while it does not, or that cannot be told. */
  readonly hoursLeft?: number;
  /** Records put aside, which it will not take for what they are: they are not queued, and `subscriptions.poison` lists them. Of a group, all of the group's. Absent when there are none. */
  readonly poison?: number;
  /** What goes to the account's own pubsub service (PEP), and why: all of it, or these topics. Absent when nothing does. */
  readonly pep?: { readonly reason: string; readonly topics?: readonly string[] };
  /** Nodes that keep fewer items than wait for them; absent when there are none. */
  readonly short?: readonly ShortNode[];
  /** Absent without rules for what comes down: how many nodes are followed, and how many cannot be had or are not caught up with yet. */
  readonly down?: { readonly nodes: number; readonly waiting: number };
}

/** A home's node that keeps fewer items than wait for it: of those, the oldest will be gone when all have gone up. */
export interface ShortNode {
  readonly topic: string;
  readonly node: string;
  /** Absent where the server does not say how many. */
  readonly keeps?: number;
  readonly waiting: number;
}
