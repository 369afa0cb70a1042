// The public contract, types only: what createBox and attachBox both give, and what the CLI,
// the nodes and the control socket are written against. Floor 0: it imports nothing but errors.
export type { Value, DeliveryBase, Item, Retraction, TopicChange, Gap, GapRange, GapTopic, Delivery, PublishOptions, Published, From, ItemsOptions } from './api/item.ts';
export type {
  AccessModel, PublishModel, Affiliation, TopicAffiliation, SubscriptionRequest, TopicConfig, TopicSettings, TopicQuery, PeerTopic, ClassifyOptions,
  TopicCandidate, TopicInfo,
} from './api/topic.ts';
export type { MaxBacklog, SubscribeOptions, Subscription, SubscriptionInfo, Poison } from './api/subscription.ts';
export type { SendOptions, MessageState, Receipt, Message, MessagesOptions, MessageStream, DeviceInfo } from './api/message.ts';
export type { PeerStatus, About, OwnPresence, Peer, OffLinkPeer, PeerEvent } from './api/peer.ts';
export type { FileContent, SendFileOptions, FileEvent } from './api/file.ts';
export type { TrustLevel, Right, Grant, AccountClaim, TrustEntry, PeerClass, ClassRules, AccountRules, PairingEvent } from './api/trust.ts';
export type {
  UpRule, HomeOptions, DownRule, HomeTransport, ComponentOptions, ComponentStatus, DrainProgress, HomeEvent, HomeState, HomeStatus, ShortNode,
} from './api/home.ts';
export type { Carrier, OutboxExport, OutboxImport } from './api/outbox.ts';
export type { RelayStatus, BoxStatus, Trouble } from './api/status.ts';
export type { FindingLevel, FindingCause, Finding } from './api/finding.ts';
export type { BoxOptions, Limits } from './api/options.ts';
export type { Imported, Box } from './api/box.ts';
export type { CommandField, OfferOptions, CommandCall, CommandHandler, CommandOffer, CommandInfo, RunOptions, RequestOptions } from './api/command.ts';
export type { RehearseOptions, RehearsalEvent, RehearsalReport } from './api/rehearsal.ts';
